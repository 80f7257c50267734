"""A folder with a file of each kind, as the page is tested and shown with it."""

import math
import os
import wave
from array import array
from importlib.resources import files
from pathlib import Path
from typing import Final

from async_downloads.site.samples import make_pdf

__all__ = ["SHOWN", "make_shown_folder"]

SHOWN: Final = "/projects/2026/"
_NOON: Final = 1_795_953_600  # 2026-11-29T12:00:00Z
_README: Final = """\
# Harbour survey

Readings of the harbour survey, **November 2026**. Raw data is in [the data set](dataset-2026-11.tar.zst);
one row for each hour.

| column | unit |
|---|---|
| level | m |
| wind | m/s |

```python
rows = [row for row in readings if row.wind > 8]  # stormy hours
```
"""
_CODE: Final = '''\
"""Count the stormy hours of a month."""

from pathlib import Path


def stormy(path: Path, limit: float = 8.0) -> int:
    rows = path.read_text().splitlines()[1:]  # the first row has the names
    return sum(float(row.split(",")[2]) > limit for row in rows)
'''
_SUBTITLES: Final = """\
1
00:00:00,500 --> 00:00:05,000
This is the <i>harbour</i>.

2
00:00:06,000 --> 00:00:12,000
And this is the end of it.
"""
_PICTURE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="960" height="640" viewBox="0 0 96 64">
<rect width="96" height="64" fill="hsl({hue} 65% 72%)"/><circle cx="{sun}" cy="18" r="7" fill="hsl(45 95% 70%)"/>
<path d="M0 44q16-14 32-4t32-6 32 4v26H0z" fill="hsl({hue} 45% 42%)"/>
<path d="M0 52q24-8 48 0t48-2v14H0z" fill="hsl({hue} 55% 28%)"/></svg>
"""


def make_shown_folder(folder: Path) -> Path:
    """Write the files below a folder, with fixed dates; return the folder that is shown."""
    shown = folder / "projects" / "2026"
    contents = {
        **{f"album/view {number}.svg": _picture(number).encode() for number in range(1, 13)},
        **{f"docs/chapter-{number}.md": b"# A chapter\n" for number in range(1, 8)},
        **{f"harbour-{number}.svg": _picture(number * 3).encode() for number in (1, 2, 10)},
        "README.md": _README.encode(),
        "stormy.py": _CODE.encode(),
        "survey.webm": files("async_downloads.site").joinpath("static", "sample.webm").read_bytes(),
        "survey.srt": _SUBTITLES.encode(),
        "annual report.pdf": make_pdf("Harbour survey", "This is the annual report."),
        "dataset-2026-11.tar.zst": bytes(734_003),
        f"{'a-very-long-name-that-goes-on-and-on-' * 5}.txt": b"long\n",
        "invoice\u202egpj.exe": b"MZ",
    }
    for name, data in contents.items():
        (shown / name).parent.mkdir(parents=True, exist_ok=True)
        (shown / name).write_bytes(data)
    _write_tone(shown / "theme.wav")
    for age, path in enumerate(sorted(folder.rglob("*"), reverse=True)):
        os.utime(path, (_NOON - 50_000 * age, _NOON - 50_000 * age))
    return shown


def _picture(number: int) -> str:
    return _PICTURE.format(hue=170 + 17 * number % 120, sun=12 + 7 * number % 72)


def _write_tone(path: Path) -> None:
    rate, seconds = 8_000, 3
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (int(6000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(rate * seconds))
        file.writeframes(array("h", samples).tobytes())

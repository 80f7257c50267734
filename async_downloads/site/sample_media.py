"""Pictures, a sound and subtitles for the sample data, made quickly: a picture takes a few milliseconds."""

import math
import os
import struct
import wave
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["landscape", "subtitles", "write_scale"]


_Colour = tuple[int, int, int]
_WIDTH: Final = 480
_HEIGHT: Final = 300
_HORIZON: Final = 190  # rows above the lake
_SUN_RADIUS: Final = 26
# The colours of the sky at its top and at the horizon: at night, when the sun rises or sets, and at noon.
_NIGHT: Final = ((12, 18, 48), (48, 40, 92))
_DUSK: Final = ((64, 62, 132), (252, 142, 78))
_NOON: Final = ((56, 132, 222), (190, 222, 248))
_LIGHT: Final = (255, 244, 200)
_SHADE: Final = (24, 30, 46)
# Mountains: column and row of the peak, columns for each row, and how much of the light they take.
_MOUNTAINS: Final = ((110, 95, 1.5, 0.45), (350, 75, 1.3, 0.5), (235, 130, 2.2, 0.68), (470, 140, 1.9, 0.74))
_HERTZ: Final = 22_050  # audio samples per second
_PERIODS: Final = 5  # of a note, which are then repeated


def landscape(day: float) -> bytes:
    """Return a picture of a lake and mountains as PNG. `day` is the time of day, from 0 at dawn to 1 at dusk."""
    height = math.sin(math.pi * day)  # of the sun: 0 at the horizon, 1 at noon
    near, far, part = (_NIGHT, _DUSK, 4 * height) if height < 0.25 else (_DUSK, _NOON, (height - 0.25) / 0.75)
    sky = tuple(_mix(one, other, part) for one, other in zip(near, far, strict=True))
    sun = round(_WIDTH * (0.15 + 0.7 * day)), round(_HORIZON - 150 * height)
    above = [_row(y, (sky[0], sky[1]), sun) for y in range(_HORIZON)]
    water = [_reflected(above[_HORIZON - 1 - y * 3 // 2]) for y in range(_HEIGHT - _HORIZON)]
    return _png(above + water)


def _mix(one: _Colour, other: _Colour, part: float) -> _Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _row(y: int, sky: tuple[_Colour, _Colour], sun: tuple[int, int]) -> bytes:
    """Return a row of pixels above the horizon: the sky, the sun, then the mountains in front of it."""
    colour = _mix(*sky, y / _HORIZON)
    row = bytearray(bytes(colour) * _WIDTH)
    if abs(y - sun[1]) < _SUN_RADIUS:
        _fill(row, sun[0], math.isqrt(_SUN_RADIUS**2 - (y - sun[1]) ** 2), _LIGHT)
    for x, top, slope, shade in _MOUNTAINS:
        if y > top:
            away = abs(x - sun[0]) / _WIDTH
            _fill(row, x, round((y - top) * slope), _mix(sky[1], _SHADE, shade + away / 4))
    return bytes(row)


def _fill(row: bytearray, middle: int, half: int, colour: _Colour) -> None:
    """Paint the pixels that are at most `half` columns from the middle."""
    left, right = max(middle - half, 0), min(middle + half, _WIDTH)
    row[3 * left : 3 * right] = bytes(colour) * (right - left)


_DARKER: Final = bytes(value * 4 // 5 for value in range(256))


def _reflected(row: bytes) -> bytes:
    return row.translate(_DARKER)


def _png(rows: list[bytes]) -> bytes:
    """Return rows of RGB pixels as a PNG file, 8 bits for each colour, without filters."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), level=4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def write_scale(path: Path, *, seconds: int) -> None:
    """Write a tone that rises by a semitone each second, so that a listener hears the position."""
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_HERTZ)
        for second in range(seconds):
            file.writeframes(_note(220 * 2 ** (second % 24 / 12)))


def _note(frequency: float) -> bytes:
    """Return a second of a tone: some periods of it, repeated."""
    count = round(_PERIODS * _HERTZ / frequency)
    step = 2 * math.pi * _PERIODS / count
    periods = array("h", (round(8000 * math.sin(step * number)) for number in range(count)))
    return (periods * (_HERTZ // count + 1))[:_HERTZ].tobytes()


def subtitles(seconds: int) -> bytes:
    """Return subtitles that name each second, as WebVTT."""
    return "\n".join(["WEBVTT", "", *_cues(seconds)]).encode()


def _cues(seconds: int) -> Iterator[str]:
    for second in range(seconds):
        yield f"00:{second:02}.000 --> 00:{second + 1:02}.000"
        yield f"This is second {second}."
        yield ""

"""Make the sample video: `python tests/tools/record_video.py async_downloads/site/static/sample.webm`.

Chromium draws and encodes the frames (WebCodecs, VP8). The container is written here: a file
from a `MediaRecorder` has neither a duration nor an index, so a browser cannot seek in it well:

    EBML header
    Segment
    ├── Info      the duration
    ├── Tracks    one, of video
    ├── Cues      where the cluster of each second begins
    └── Cluster…  one second each; its first frame is a key frame
"""

import base64
import struct
import sys
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

_WIDTH, _HEIGHT = 320, 180
_SECONDS: Final = 12
_RATE: Final = 10  # frames a second
_RECORD: Final = """
const [width, height, count, rate] = arguments, done = arguments[arguments.length - 1];
(async () => {
  const canvas = new OffscreenCanvas(width, height), pen = canvas.getContext("2d"), frames = [];
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const data = new Uint8Array(chunk.byteLength);
      chunk.copyTo(data);
      frames.push(btoa(String.fromCharCode(...data)));
    },
    error: (error) => done(String(error)),
  });
  encoder.configure({codec: "vp8", width, height, bitrate: 30000, framerate: rate});
  for (let number = 0; number < count; number++) {
    const part = number / count;
    pen.fillStyle = `hsl(${200 + 120 * Math.floor(part * 12) / 12} 60% 30%)`;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = "white";
    pen.fillRect(0, height - 12, width * part, 12);
    pen.font = "bold 90px sans-serif";
    pen.textAlign = "center";
    pen.fillText(Math.floor(number / rate), width / 2, 120);
    const frame = new VideoFrame(canvas, {timestamp: number * 1e6 / rate});
    encoder.encode(frame, {keyFrame: number % rate === 0});
    frame.close();
  }
  await encoder.flush();
  done(frames);
})().catch((error) => done(String(error)));
"""


def main(target: str) -> None:
    """Record, and write the file."""
    Path(target).write_bytes(webm(_recorded()))


def _recorded() -> list[bytes]:
    """Return the frames as Chromium encodes them; WebCodecs needs a page from a server."""
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(flag)
    with (
        TemporaryDirectory() as empty,
        ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=empty)) as server,
        Chrome(options=options, service=Service("/usr/bin/chromedriver")) as browser,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.get(f"http://127.0.0.1:{server.server_port}/")
        frames = browser.execute_async_script(_RECORD, _WIDTH, _HEIGHT, _SECONDS * _RATE, _RATE)
        server.shutdown()
    if isinstance(frames, str):
        raise SystemExit(frames)
    return [base64.b64decode(frame) for frame in frames]


def webm(frames: Sequence[bytes]) -> bytes:
    """Put frames into a container; the first frame of each second must be a key frame."""
    info = _element(
        "1549A966",
        _number("2AD7B1", 1_000_000),
        _element("4489", struct.pack(">d", _SECONDS * 1000.0)),
        _element("4D80", b"async_downloads"),
        _element("5741", b"async_downloads"),
    )
    size = _element("E0", _number("B0", _WIDTH), _number("BA", _HEIGHT))
    track = _element("AE", _number("D7", 1), _number("73C5", 1), _number("83", 1), _element("86", b"V_VP8"), size)
    clusters = [_cluster(second, frames[second * _RATE : (second + 1) * _RATE]) for second in range(_SECONDS)]
    before = info + _element("1654AE6B", track)
    start = len(before) + len(_cues([0] * _SECONDS))
    places = list(accumulate(map(len, clusters), initial=start))[:-1]
    header = _element(
        "1A45DFA3",
        _number("4286", 1),
        _number("42F7", 1),
        _number("42F2", 4),
        _number("42F3", 8),
        _element("4282", b"webm"),
        _number("4287", 2),
        _number("4285", 2),
    )
    return header + _element("18538067", before, _cues(places), *clusters)


def _cluster(second: int, frames: Sequence[bytes]) -> bytes:
    blocks = [
        _element("A3", struct.pack(">BhB", 0x81, number * 1000 // _RATE, 0 if number else 0x80), frame)
        for number, frame in enumerate(frames)
    ]
    return _element("1F43B675", _number("E7", second * 1000), *blocks)


def _cues(places: Sequence[int]) -> bytes:
    points = [
        _element("BB", _number("B3", second * 1000), _element("B7", _number("F7", 1), _number("F1", place)))
        for second, place in enumerate(places)
    ]
    return _element("1C53BB6B", *points)


def _number(name: str, value: int) -> bytes:
    return _element(name, struct.pack(">I", value))


def _element(name: str, *parts: bytes) -> bytes:
    """Write an EBML element (RFC 8794 §6), its length in four bytes."""
    data = b"".join(parts)
    return bytes.fromhex(name) + struct.pack(">I", len(data) | 0x1000_0000) + data


if __name__ == "__main__":
    main(sys.argv[1])

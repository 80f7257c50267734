"""Sample data for every route: real files, small except for one."""

import asyncio
import math
import os
import struct
import uuid
import wave
import zlib
from array import array
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from ..config import Settings
from ..sources.database.urls import open_catalogue

__all__ = ["Sample", "make_pdf", "make_samples", "samples"]


def make_pdf(title: str, *paragraphs: str) -> bytes:
    """Return a PDF of one page. It takes some milliseconds: call it in a thread. It needs the extra `demo`."""
    from fpdf import FPDF

    document = FPDF()
    document.set_title(title)
    document.add_page()
    document.set_font("Helvetica", style="B", size=24)
    document.cell(text=title, new_x="LMARGIN", new_y="NEXT", h=16)
    document.set_font("Helvetica", size=12)
    for paragraph in paragraphs:
        document.multi_cell(w=0, h=7, text=paragraph, new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


_ID: Final = str(uuid.UUID("0b5e6f1c-7c56-4d8a-9f3e-2a8f6d0c4b17"))
_LARGE_BYTES: Final = 64 * 1024 * 1024
_TONE_HERTZ: Final = 22_050  # audio samples per second


@dataclass(frozen=True, slots=True)
class Sample:
    """A path of the demo site, a description of what is there, and curl's options to fetch it."""

    path: str
    description: str
    options: str


def samples() -> tuple[Sample, ...]:
    """Return a working example of each route over the sample data."""
    saved = (
        ("/media/tone.wav", "a sound that a browser plays and seeks in", "tone.wav"),
        ("/download", "one configured file", "download.csv"),
        ("/download/sunrise.png", "an image, offered", "sunrise.png"),
        ("/download2/nested/sunset.png", "an image in a folder, offered", "sunset.png"),
        ("/get-image/001.png", "an image by name", "001.png"),
        ("/get-image/7", "an image by number: 007.png", "007.png"),
        (f"/get-image/{_ID}", "an image by UUID", "uuid.png"),
        ("/get-csv/sales", "sales.csv", "sales.csv"),
        ("/get-csv/2026/october.csv", "a CSV file in a folder", "october.csv"),
        ("/get-pdf/invoice", "invoice.pdf", "invoice.pdf"),
        (f"/get-pdf/{_ID}", "a PDF by UUID", "uuid.pdf"),
        ("/get-report/2026/q3/summary.txt", "a nested report", "summary.txt"),
        ("/pdf/send-file", "a PDF made in memory: send_file(BytesIO)", "send-file.pdf"),
        ("/pdf/response", "a PDF made in memory: Response(bytes)", "response.pdf"),
        ("/pdf/make-response", "a PDF made in memory: make_response(bytes)", "make-response.pdf"),
        ("/files/download/1", "an image from a database", "stored.png"),
        ("/files/download/2", "a PDF from a database", "stored.pdf"),
        ("/files/download/3", "a video from a database; with ?inline=1 a browser plays it", "stored.webm"),
    )
    return (
        Sample("/", "the top folder: a page in a browser, JSON for programs", "-H 'Accept: application/json'"),
        Sample("/large.bin", "the last ten bytes of 64 MiB", "-r -10 -o tail.bin"),
        *(Sample(path, description, f"-o {name}") for path, description, name in saved),
        Sample("/files/download/3", "ten bytes of that video, with the header fields", "-v -r 10-19 -o part.bin"),
        Sample("/files", "what the database holds, as JSON", "-H 'Accept: application/json'"),
    )


def make_samples(folder: Path) -> Settings:
    """Write the sample data into the folder; return settings that serve it. Do not call this in an event loop."""
    images, csv, pdf, reports, media = (folder / name for name in ("images", "csv", "pdf", "reports", "media"))
    for number, name in enumerate(("001.png", "007.png", f"{_ID}.png", "sunrise.png", "nested/sunset.png")):
        _write(images / name, _png(hue=number))
    _write(csv / "sales.csv", _csv("day", 30))
    _write(csv / "2026" / "october.csv", _csv("hour", 24))
    for name in ("invoice", _ID):
        _write(pdf / f"{name}.pdf", make_pdf("A sample document", f"This is {name}.pdf."))
    _write(reports / "2026" / "q3" / "summary.txt", b"All downloads arrived.\n")
    media.mkdir(parents=True)
    _make_tone(media / "tone.wav", seconds=60)
    _write(folder / "large.bin", os.urandom(_LARGE_BYTES))
    database = f"sqlite:///{folder}/.files.db"  # the dot hides the database from the site
    asyncio.run(_fill(database, _database_files()))
    return Settings(
        directory=folder,
        download_file=csv / "sales.csv",
        download_images=images,
        client_images=images,
        client_csv=csv,
        client_pdf=pdf,
        client_reports=reports,
        pdf_examples=True,
        database=database,
        file_ids="integer",
        list_files=True,
    )


def _database_files() -> dict[str, bytes]:
    """Return the files of the database by name, in the order of their ids."""
    return {
        "images/sunrise.png": _png(hue=3),
        "invoice.pdf": make_pdf("A sample document", "This one is stored in a database."),
        "counter.webm": files(__package__).joinpath("static", "sample.webm").read_bytes(),
    }


async def _fill(database: str, contents: Mapping[str, bytes]) -> None:
    """Create a database and put files into it."""
    async with aclosing(open_catalogue(database)) as catalogue:
        await catalogue.init()
        for name, data in contents.items():
            await catalogue.put(name, _one_chunk(data))


async def _one_chunk(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _csv(first_column: str, rows: int) -> bytes:
    lines = [f"{first_column},downloads,bytes", *(f"{row},{row * 37 % 101},{row * 7919}" for row in range(1, rows + 1))]
    return "\r\n".join([*lines, ""]).encode()


def _png(hue: int, *, side: int = 128) -> bytes:
    """Return a square that shades from one colour into another (PNG, 8-bit RGB, no filter)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\0" + bytes(value for x in range(side) for value in (x * 255 // side, y * 255 // side, hue * 50))
        for y in range(side)
    )
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _make_tone(path: Path, *, seconds: int) -> None:
    """Write a tone that rises by a semitone each second, so that a listener hears the position."""
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_TONE_HERTZ)
        for second in range(seconds):
            step = 2 * math.pi * 220 * 2 ** (second % 24 / 12) / _TONE_HERTZ
            file.writeframes(array("h", (int(8000 * math.sin(step * n)) for n in range(_TONE_HERTZ))).tobytes())

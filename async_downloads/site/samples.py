"""The sample data of the demo: files for every route, all small except for one."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..config import Settings
from ..sources.database.urls import open_catalogue
from .sample_media import landscape, subtitles, write_scale

__all__ = ["TOUR", "Sample", "make_pdf", "make_samples", "name_server", "samples"]


TOUR: Final = "/tour.html"
_ID: Final = "0b5e6f1c-7c56-4d8a-9f3e-2a8f6d0c4b17"
_MIB: Final = 1024 * 1024
_LARGE_MIB: Final = 64
_VIDEO_SECONDS: Final = 12
_GALLERY: Final = tuple(f"picture {number}.png" for number in range(1, 13))
_README: Final = "README.md"
_SAMPLE_URL: Final = "http://127.0.0.1:8000"  # in its commands, until the server has an address
_TEXTS: Final = (_README, "code/clock.js", "code/settings.toml")  # for the preview, and copied unchanged
_NAMES: Final = (
    "file 2.txt",
    "file 10.txt",
    "Grüße aus Köln.txt",
    "日本語.txt",
    "50% & more?.txt",
    "a 'quoted' name.txt",
)
# The path, a description, and the name under which curl saves it.
_SAVED: Final = (
    ("/media/tone.wav", "a sound that a browser plays and seeks in", "tone.wav"),
    ("/download", "the file of --download-file", "download.csv"),
    ("/download/sunrise.png", "an image that browsers save", "sunrise.png"),
    ("/download2/nested/sunset.png", "an image in a subfolder, which browsers save", "sunset.png"),
    ("/get-image/001.png", "an image by name", "001.png"),
    ("/get-image/7", "an image by number: 007.png", "007.png"),
    (f"/get-image/{_ID}", "an image by UUID", "uuid.png"),
    ("/get-csv/sales", "sales.csv", "sales.csv"),
    ("/get-csv/2026/october.csv", "a CSV file in a subfolder", "october.csv"),
    ("/get-pdf/invoice", "invoice.pdf", "invoice.pdf"),
    (f"/get-pdf/{_ID}", "a PDF by UUID", "uuid.pdf"),
    ("/get-report/2026/q3/summary.txt", "a report in a subfolder", "summary.txt"),
    ("/pdf/send-file", "a PDF made in memory: send_file(BytesIO)", "send-file.pdf"),
    ("/pdf/response", "a PDF made in memory: Response(bytes)", "response.pdf"),
    ("/pdf/make-response", "a PDF made in memory: make_response(bytes)", "make-response.pdf"),
    ("/files/download/1", "an image from a database", "stored.png"),
    ("/files/download/2", "a PDF from a database", "stored.pdf"),
    ("/files/download/3", "a video from a database; with ?inline=1 a browser plays it", "stored.webm"),
)


def make_pdf(title: str, *paragraphs: str) -> bytes:
    """Return a PDF of one page. It takes some milliseconds, so call it in a thread. It needs the extra `demo`."""
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


@dataclass(frozen=True, slots=True)
class Sample:
    """A path of the demo site, a description of its content, and curl's options to download it."""

    path: str
    description: str
    options: str


def samples() -> tuple[Sample, ...]:
    """Return a working example of each route over the sample data."""
    return (
        Sample("/", "the top folder: a page in a browser, JSON for programs", "-H 'Accept: application/json'"),
        Sample("/large.bin", "64 MiB; curl gets its last ten bytes", "-r -10 -o tail.bin"),
        *(Sample(path, description, f"-o {name}") for path, description, name in _SAVED),
        Sample(
            "/files/download/3",
            "the video again; curl gets ten bytes and shows the header fields",
            "-v -r 10-19 -o part.bin",
        ),
        Sample("/files", "the list of the files in the database, as JSON", "-H 'Accept: application/json'"),
    )


def make_samples(folder: Path) -> Settings:
    """Write the sample data into the folder, and return the settings to serve it. Do not call it in an event loop."""
    _write_files(folder)
    database = f"sqlite:///{folder}/.files.db"  # the dot hides the database from the site
    asyncio.run(_fill(database, _database_files()))
    images, csv = folder / "images", folder / "csv"
    return Settings(
        directory=folder,
        download_file=csv / "sales.csv",
        download_images=images,
        client_images=images,
        client_csv=csv,
        client_pdf=folder / "documents",
        client_reports=folder / "reports",
        pdf_examples=True,
        database=database,
        file_ids="integer",
        list_files=True,
    )


def name_server(folder: Path, url: str) -> None:
    """Write the URL of the server, without a slash at its end, into the commands of the README and the tour."""
    for path in (folder / _README, folder / TOUR[1:]):
        path.write_text(path.read_text("utf-8").replace(_SAMPLE_URL, url), "utf-8")


def _write_files(folder: Path) -> None:
    for name, data in {**_for_the_page(), **_for_the_routes()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    write_scale(folder / "media" / "tone.wav", seconds=60)
    block = os.urandom(_MIB)
    with (folder / "large.bin").open("wb") as file:
        for _ in range(_LARGE_MIB):
            file.write(block)


def _for_the_page() -> dict[str, bytes]:
    """Return the files that show what the page of a folder can do, by name."""
    last = len(_GALLERY) - 1
    return {
        **{name: _static("demo", *name.split("/")) for name in _TEXTS},
        **{f"names/{name}": f"This file is named {name}\n".encode() for name in _NAMES},
        **{f"gallery/{name}": landscape(number / last) for number, name in enumerate(_GALLERY)},
        "media/counter.webm": _static("sample.webm"),
        "media/counter.vtt": subtitles(_VIDEO_SECONDS),
        TOUR[1:]: _tour(),
    }


def _for_the_routes() -> dict[str, bytes]:
    """Return the files of the download routes, by name."""
    sunrise, noon, sunset = (landscape(day) for day in (0.1, 0.5, 0.9))
    document = _static("sample.pdf")
    return {
        "images/001.png": noon,
        "images/007.png": noon,
        f"images/{_ID}.png": noon,
        "images/sunrise.png": sunrise,
        "images/nested/sunset.png": sunset,
        "csv/sales.csv": _csv("day", 30),
        "csv/2026/october.csv": _csv("hour", 24),
        "documents/invoice.pdf": document,
        f"documents/{_ID}.pdf": document,
        "reports/2026/q3/summary.txt": b"All downloads arrived.\n",
    }


def _database_files() -> dict[str, bytes]:
    """Return the files of the database by name, in the order of their ids."""
    return {
        "images/sunrise.png": landscape(0.1),
        "invoice.pdf": _static("sample.pdf"),
        "counter.webm": _static("sample.webm"),
    }


def _static(*names: str) -> bytes:
    return files(__package__).joinpath("static", *names).read_bytes()


def _tour() -> bytes:
    """Draw the page that leads through the sample data."""
    templates = Environment(loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined)
    page = templates.get_template("tour.html").render(pictures=_GALLERY[::2], samples=samples())
    return page.encode("utf-8")


async def _fill(database: str, contents: Mapping[str, bytes]) -> None:
    """Create a database and put files into it."""
    async with aclosing(open_catalogue(database)) as catalogue:
        await catalogue.init()
        for name, data in contents.items():
            await catalogue.put(name, _one_chunk(data))


async def _one_chunk(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _csv(first_column: str, rows: int) -> bytes:
    lines = [f"{first_column},downloads,bytes", *(f"{row},{row * 37 % 101},{row * 7919}" for row in range(1, rows + 1))]
    return "\r\n".join([*lines, ""]).encode()

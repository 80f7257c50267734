"""The download routes that Flask tutorials build, as a blueprint for any Quart app.

A route answers when its key is in `app.config`: `DOWNLOAD_FILE`, `DOWNLOAD_IMAGES`, `CLIENT_IMAGES`, `CLIENT_CSV`,
`CLIENT_PDF`, `CLIENT_REPORTS`, `PDF_EXAMPLES`; else it is a 404. What is offered for saving is shown with `?inline=1`,
and what is shown is offered with `?download=1`. Names that begin with a dot are a 404, too, unless `HIDDEN` is set.
"""

import glob
import io
import os
from functools import partial
from typing import Final, cast
from uuid import UUID

from quart import Blueprint, Response, current_app, request

from ..asgi import wants_attachment
from ..quart import abort, make_response, send_file, send_from_directory
from ..semantics.disposition import content_disposition
from ..threads import in_thread
from .samples import make_pdf

__all__ = ["downloads"]


_PDF: Final = "application/pdf"
downloads: Blueprint = Blueprint("downloads", __name__)


@downloads.get("/download")
async def download() -> Response:
    """Offer the one configured file."""
    try:
        return await send_file(_configured("DOWNLOAD_FILE"), as_attachment=_offered(default=True))
    except OSError:
        abort(404)


@downloads.get("/download/<string:file_name>")
@downloads.get("/download2/<path:file_name>")
async def download_image(file_name: str) -> Response:
    """Offer an image: one directly in the folder, or with `/download2` one below it too."""
    return await _below("DOWNLOAD_IMAGES", file_name)


@downloads.get("/get-image/<int:number>")
async def get_image_by_number(number: int) -> Response:
    """Show an image by its number: 7 is `007.*`."""
    return await _below("CLIENT_IMAGES", await _completed("CLIENT_IMAGES", f"{number:03}"), offered=False)


# Before the route of names, which would take a UUID for one.
@downloads.get("/get-image/<uuid:image_id>")
async def get_image_by_id(image_id: UUID) -> Response:
    """Show an image by its UUID."""
    return await _below("CLIENT_IMAGES", await _completed("CLIENT_IMAGES", str(image_id)), offered=False)


@downloads.get("/get-image/<string:image_name>")
async def get_image(image_name: str) -> Response:
    """Show an image by its name."""
    return await _below("CLIENT_IMAGES", image_name, offered=False)


@downloads.get("/get-csv/<string:csv_id>")
async def get_csv(csv_id: str) -> Response:
    """Offer `<csv_id>.csv`; the ending may be given, too."""
    return await _below("CLIENT_CSV", f"{csv_id.removesuffix('.csv')}.csv")


@downloads.get("/get-csv/<path:filename>")
async def get_nested_csv(filename: str) -> Response:
    """Offer a CSV file anywhere below the folder."""
    return await _below("CLIENT_CSV", filename)


@downloads.get("/get-pdf/<string:pdf_id>")
async def get_pdf(pdf_id: str) -> Response:
    """Offer `<pdf_id>.pdf`; the ending may be given, too."""
    return await _below("CLIENT_PDF", f"{pdf_id.removesuffix('.pdf')}.pdf")


@downloads.get("/get-report/<path:path>")
async def get_report(path: str) -> Response:
    """Offer a report anywhere below the folder."""
    return await _below("CLIENT_REPORTS", path)


@downloads.get("/pdf/send-file")
async def pdf_by_send_file() -> Response:
    """Show a PDF made in memory: `send_file` of a `BytesIO`."""
    pdf = io.BytesIO(await _pdf("send_file"))
    return await send_file(pdf, _PDF, as_attachment=_offered(default=False), download_name="send-file.pdf")


@downloads.get("/pdf/response")
async def pdf_by_response() -> Response:
    """Show a PDF made in memory: a `Response` of bytes."""
    fields = {"Content-Disposition": _disposition("response.pdf")}
    return Response(await _pdf("Response"), mimetype=_PDF, headers=fields)


@downloads.get("/pdf/make-response")
async def pdf_by_make_response() -> Response:
    """Show a PDF made in memory: `make_response` of bytes."""
    response = cast("Response", await make_response(await _pdf("make_response")))
    response.mimetype = _PDF
    response.headers["Content-Disposition"] = _disposition("make-response.pdf")
    return response


def _configured(key: str) -> str:
    value: str | os.PathLike[str] | None = current_app.config.get(key)
    if not value:
        abort(404)
    return os.fspath(value)


def _offered(*, default: bool) -> bool:
    return wants_attachment(request.query_string, default=default)


async def _below(key: str, name: str, *, offered: bool = True) -> Response:
    folder = _configured(key)
    if not current_app.config.get("HIDDEN") and any(segment.startswith(".") for segment in name.split("/")):
        abort(404)
    return await send_from_directory(folder, name, as_attachment=_offered(default=offered))


async def _completed(key: str, stem: str) -> str:
    """Return the first file in the folder with that stem, whatever its ending."""
    folder = os.path.join(current_app.root_path, _configured(key))
    search: partial[list[str]] = partial(glob.glob, f"{glob.escape(stem)}.*", root_dir=folder)
    found = await in_thread(search)
    if not found:
        abort(404)
    return min(found)


async def _pdf(way: str) -> bytes:
    if not current_app.config.get("PDF_EXAMPLES"):
        abort(404)
    return await in_thread(partial(make_pdf, "Made in memory", f"Sent by {way}."))


def _disposition(name: str) -> str:
    return content_disposition("attachment" if _offered(default=False) else "inline", name)

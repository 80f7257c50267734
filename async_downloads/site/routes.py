"""The download routes of Flask tutorials, as a blueprint for any Quart app.

A route works if its key is in `app.config`: `DOWNLOAD_FILE`, `DOWNLOAD_IMAGES`, `CLIENT_IMAGES`, `CLIENT_CSV`,
`CLIENT_PDF`, `CLIENT_REPORTS`, `PDF_EXAMPLES`. Otherwise the response is 404. It is also 404 for names that begin with
a dot, unless `HIDDEN` is set. Most routes send a file as an attachment, so that browsers save it; with `?inline=1` they
show it. The others send a file inline, so that browsers show it; with `?download=1` they save it.
"""

import glob
import io
import os
from functools import partial
from typing import Final, cast
from uuid import UUID

from quart import Blueprint, Response, current_app, request

from ..errors import DownloadError
from ..quart import abort, make_response, send_file
from ..quart.send import abort_for, send_from_store
from ..recent_paths import open_in_thread
from ..request_target import wants_attachment
from ..semantics.disposition import content_disposition
from ..threads import in_thread
from .samples import make_pdf

__all__ = ["downloads"]


_PDF: Final = "application/pdf"
downloads: Blueprint = Blueprint("downloads", __name__)


@downloads.get("/download")
async def download() -> Response:
    """Send the configured file as an attachment."""
    try:
        return await send_file(_configured("DOWNLOAD_FILE"), as_attachment=_wants_attachment(default=True))
    except OSError:
        abort(404)


@downloads.get("/download/<string:file_name>")
@downloads.get("/download2/<path:file_name>")
async def download_image(file_name: str) -> Response:
    """Send an image as an attachment: `/download` from the folder itself, `/download2` also from its subfolders."""
    return await _below("DOWNLOAD_IMAGES", file_name)


@downloads.get("/get-image/<int:number>")
async def get_image_by_number(number: int) -> Response:
    """Send an image by its number, inline. The file of number 7 is `007.*`."""
    return await _below("CLIENT_IMAGES", await _find_by_stem("CLIENT_IMAGES", f"{number:03}"), attachment=False)


# This route must stand before the route by name, which would also match a UUID.
@downloads.get("/get-image/<uuid:image_id>")
async def get_image_by_id(image_id: UUID) -> Response:
    """Send an image by its UUID, inline: the file `<image_id>.*`."""
    return await _below("CLIENT_IMAGES", await _find_by_stem("CLIENT_IMAGES", str(image_id)), attachment=False)


@downloads.get("/get-image/<string:image_name>")
async def get_image(image_name: str) -> Response:
    """Send an image by its name, inline."""
    return await _below("CLIENT_IMAGES", image_name, attachment=False)


@downloads.get("/get-csv/<string:csv_id>")
async def get_csv(csv_id: str) -> Response:
    """Send `<csv_id>.csv` as an attachment. The URL may also contain the ending."""
    return await _below("CLIENT_CSV", f"{csv_id.removesuffix('.csv')}.csv")


@downloads.get("/get-csv/<path:filename>")
async def get_nested_csv(filename: str) -> Response:
    """Send a CSV file from any subfolder as an attachment."""
    return await _below("CLIENT_CSV", filename)


@downloads.get("/get-pdf/<string:pdf_id>")
async def get_pdf(pdf_id: str) -> Response:
    """Send `<pdf_id>.pdf` as an attachment. The URL may also contain the ending."""
    return await _below("CLIENT_PDF", f"{pdf_id.removesuffix('.pdf')}.pdf")


@downloads.get("/get-report/<path:path>")
async def get_report(path: str) -> Response:
    """Send a report from any subfolder as an attachment."""
    return await _below("CLIENT_REPORTS", path)


@downloads.get("/pdf/send-file")
async def pdf_by_send_file() -> Response:
    """Send a PDF made in memory, inline: `send_file` of a `BytesIO`."""
    pdf = io.BytesIO(await _make_example("send_file"))
    return await send_file(pdf, _PDF, as_attachment=_wants_attachment(default=False), download_name="send-file.pdf")


@downloads.get("/pdf/response")
async def pdf_by_response() -> Response:
    """Send a PDF made in memory, inline: a `Response` of bytes."""
    fields = {"Content-Disposition": _disposition("response.pdf")}
    return Response(await _make_example("Response"), mimetype=_PDF, headers=fields)


@downloads.get("/pdf/make-response")
async def pdf_by_make_response() -> Response:
    """Send a PDF made in memory, inline: `make_response` of bytes."""
    response = cast("Response", await make_response(await _make_example("make_response")))
    response.mimetype = _PDF
    response.headers["Content-Disposition"] = _disposition("make-response.pdf")
    return response


def _configured(key: str) -> str:
    value: str | os.PathLike[str] | None = current_app.config.get(key)
    if not value:
        abort(404)
    return os.fspath(value)


def _wants_attachment(*, default: bool) -> bool:
    return wants_attachment(request.query_string, default=default)


async def _below(key: str, name: str, *, attachment: bool = True) -> Response:
    folder = _configured(key)
    hidden = bool(current_app.config.get("HIDDEN"))
    return await send_from_store(folder, name, hidden=hidden, as_attachment=_wants_attachment(default=attachment))


async def _find_by_stem(key: str, stem: str) -> str:
    """Return the name of the first file in the folder with that stem and any ending; respond 404 if there is none."""
    folder = os.path.join(current_app.root_path, _configured(key))
    search: partial[list[str]] = partial(glob.glob, f"{glob.escape(stem)}.*", root_dir=folder)
    try:
        found = await open_in_thread(folder, search)
    except DownloadError as error:
        abort_for(error)
    if not found:
        abort(404)
    return min(found)


async def _make_example(function: str) -> bytes:
    if not current_app.config.get("PDF_EXAMPLES"):
        abort(404)
    return await in_thread(partial(make_pdf, "Made in memory", f"Sent by {function}."))


def _disposition(name: str) -> str:
    return content_disposition("attachment" if _wants_attachment(default=False) else "inline", name)

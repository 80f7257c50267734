"""Reports with FastAPI: a PDF that is made in memory, and a CSV file that is made while it is sent.

    pip install fastapi fpdf2
    async-downloads run fastapi_reports:api        # or: uvicorn fastapi_reports:api

Then download both. A client can continue the PDF and ask for parts of it, because its size is known:

    curl -OJ http://127.0.0.1:8000/invoices/7
    curl -OJ http://127.0.0.1:8000/orders.csv
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi import FastAPI
from fpdf import FPDF

from async_downloads.starlette import DownloadResponse

ROWS = 10_000
ISSUED = datetime(2026, 11, 30, tzinfo=UTC)

api = FastAPI()


def make_invoice(number: int) -> bytes:
    """Return an invoice as a PDF. The date in it is that of the invoice, so it has the same bytes each time."""
    document = FPDF()
    document.set_creation_date(ISSUED)
    document.add_page()
    document.set_font("Helvetica", size=24)
    document.cell(text=f"Invoice {number}")
    return bytes(document.output())


@api.get("/invoices/{number}")
async def invoice(number: int) -> DownloadResponse:
    """Send a PDF. The ETag lets a client continue a download, since the same invoice has the same bytes."""
    content = await asyncio.to_thread(make_invoice, number)
    etag = hashlib.sha256(content).hexdigest()
    return DownloadResponse(content, filename=f"invoice-{number}.pdf", etag=etag)


async def order_lines() -> AsyncIterator[bytes]:
    """Yield the lines of the CSV file, as a query of a database would return them."""
    yield b"order,amount\r\n"
    for order in range(ROWS):
        yield f"{order},{order * 37 % 101}\r\n".encode()
        if order % 1000 == 0:
            await asyncio.sleep(0)  # other requests get their turn


@api.get("/orders.csv")
async def orders() -> DownloadResponse:
    """Send a CSV file whose size is unknown until its end."""
    return DownloadResponse(order_lines(), filename="orders.csv")

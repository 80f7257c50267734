"""examples/fastapi_reports.py: a PDF with ranges, and a CSV file of unknown size."""

import httpx
import pytest

from examples.programs import run_program


@pytest.fixture
def reports() -> httpx.AsyncClient:
    """A client of the app that makes reports."""
    app = run_program("fastapi_reports").api
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


async def test_a_pdf_is_made_and_sent_in_parts(reports: httpx.AsyncClient) -> None:
    whole = await reports.get("/invoices/7")
    part = await reports.get("/invoices/7", headers={"Range": "bytes=-6", "If-Range": whole.headers["ETag"]})
    assert whole.headers["Content-Disposition"] == "attachment; filename=invoice-7.pdf"
    assert whole.headers["Content-Type"] == "application/pdf"
    assert whole.content.startswith(b"%PDF-")
    assert (part.status_code, part.content) == (206, whole.content[-6:])


async def test_a_csv_file_is_made_while_it_is_sent(reports: httpx.AsyncClient) -> None:
    response = await reports.get("/orders.csv")
    lines = response.text.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("order,amount", "9999,0", 10_001)
    assert response.headers["Content-Disposition"] == "attachment; filename=orders.csv"
    assert "Content-Length" not in response.headers

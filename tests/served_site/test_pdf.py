"""An independent PDF reader accepts the documents made in memory."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from async_downloads.site.samples import make_pdf
from served_site.site import Site


@pytest.mark.parametrize(
    ("target", "way", "name"),
    [
        ("/pdf/send-file", "send_file", "send-file.pdf"),
        ("/pdf/response", "Response", "response.pdf"),
        ("/pdf/make-response", "make_response", "make-response.pdf"),
    ],
)
async def test_each_route_sends_a_document_of_one_page(site: Site, target: str, way: str, name: str) -> None:
    response = await site.get(target)
    assert response.headers["content-type"] == "application/pdf"
    assert response.headers["content-disposition"] == f"inline; filename={name}"
    document = PdfReader(BytesIO(response.content), strict=True)
    assert len(document.pages) == 1
    assert document.pages[0].extract_text().split("\n") == ["Made in memory", f"Sent by {way}."]


@pytest.mark.parametrize("target", ["/pdf/send-file", "/pdf/response", "/pdf/make-response"])
async def test_each_route_can_offer_the_document(site: Site, target: str) -> None:
    response = await site.get(f"{target}?attachment=1")
    assert response.headers["content-disposition"] == f"attachment; filename={target.removeprefix('/pdf/')}.pdf"


def test_a_document_has_its_title_and_its_paragraphs() -> None:
    document = PdfReader(BytesIO(make_pdf("A title", "First.", "Second.")), strict=True)
    assert document.metadata is not None
    assert document.metadata.title == "A title"
    assert document.pages[0].extract_text().split("\n") == ["A title", "First.", "Second."]

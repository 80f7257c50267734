"""The documents made in memory are documents to a reader that is not ours."""

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
async def test_each_way_sends_a_document_of_one_page(site: Site, target: str, way: str, name: str) -> None:
    answer = await site.get(target)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f"inline; filename={name}"
    document = PdfReader(BytesIO(answer.content), strict=True)
    assert len(document.pages) == 1
    assert document.pages[0].extract_text().split("\n") == ["Made in memory", f"Sent by {way}."]


@pytest.mark.parametrize("target", ["/pdf/send-file", "/pdf/response", "/pdf/make-response"])
async def test_each_way_offers_the_document_when_asked(site: Site, target: str) -> None:
    answer = await site.get(f"{target}?attachment=1")
    assert answer.headers["content-disposition"] == f"attachment; filename={target.removeprefix('/pdf/')}.pdf"


def test_a_document_has_its_title_and_its_paragraphs() -> None:
    document = PdfReader(BytesIO(make_pdf("A title", "First.", "Second.")), strict=True)
    assert document.metadata is not None
    assert document.metadata.title == "A title"
    assert document.pages[0].extract_text().split("\n") == ["A title", "First.", "Second."]

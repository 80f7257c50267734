"""HTML pages in place of files."""

import pytest

from async_downloads.client.decisions.page import unexpected_page

HTML = {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("name", "fields", "warns"),
    [
        pytest.param("data.zip", HTML, True, id="an archive"),
        pytest.param("DATA.TAR.GZ", HTML, True, id="in capitals"),
        pytest.param("data.zip", {"content-type": "APPLICATION/XHTML+XML"}, True, id="another type of page"),
        pytest.param("data.zip", {"content-type": "application/zip"}, False, id="the right type"),
        pytest.param("data.zip", {}, False, id="no type"),
        pytest.param("index.html", HTML, False, id="a page"),
        pytest.param("data.php", HTML, False, id="a program that may send anything"),
        pytest.param("zip", HTML, False, id="no suffix"),
        pytest.param("", HTML, False, id="no name"),
    ],
)
def test_a_page_for_a_file_is_named(name: str, fields: dict[str, str], warns: bool) -> None:
    assert unexpected_page(["", name], fields) == (f"the server sent an HTML page for {name}" if warns else None)

"""Media types by extension, as nginx, Apache and Debian have them."""

import pytest

from async_downloads.sources.media_types import media_type

OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("docx", f"{OFFICE}.wordprocessingml.document"),
        ("XLSX", f"{OFFICE}.spreadsheetml.sheet"),
        ("pptx", f"{OFFICE}.presentationml.presentation"),
        ("odt", "application/vnd.oasis.opendocument.text"),
        ("apk", "application/vnd.android.package-archive"),
        ("jar", "application/java-archive"),
        ("xpi", "application/x-xpinstall"),
        ("xhtml", "application/xhtml+xml"),
        ("rss", "application/rss+xml"),
        ("atom", "application/atom+xml"),
        ("kml", "application/vnd.google-earth.kml+xml"),
        ("mpd", "application/dash+xml"),
        ("m3u8", "application/vnd.apple.mpegurl"),
        ("ts", "video/mp2t"),
        ("m4v", "video/x-m4v"),
        ("3gp", "video/3gpp"),
        ("mid", "audio/midi"),
        ("svgz", "image/svg+xml"),
        ("iso", "application/vnd.efi.iso"),
        ("rpm", "application/x-rpm"),
        ("torrent", "application/x-bittorrent"),
        ("tar.gz", "application/gzip"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("ics", "text/calendar; charset=utf-8"),
        ("shtml", "text/html; charset=utf-8"),
        ("cpp", "text/x-c++src; charset=utf-8"),
        ("sql", "application/sql"),
        ("STEP", "model/step"),
        ("nothing", "application/octet-stream"),
    ],
)
def test_a_known_extension_has_its_type(extension: str, expected: str) -> None:
    assert media_type(f"a.{extension}") == expected


@pytest.mark.parametrize("name", ["", "docx", ".docx", "a.", "a.docx.", "a.docx/"])
def test_a_name_without_an_extension_has_no_type(name: str) -> None:
    assert media_type(name) == "application/octet-stream"

"""File names that a server chooses (RFC 6266 §4.3 and §7)."""

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.client.disk.names import file_name, unused
from async_downloads.semantics.disposition import content_disposition

LONGEST = 240
PORTS = {f"{port}{number}" for port in ("COM", "LPT") for number in "123456789¹²³"}
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", *PORTS}

hostile = st.text(st.sampled_from("/\\.:- ~_%\0\r\n\u202e\u2028\xa0\ud800aé日🎉CONUL1?*'\"")) | st.text()
dangers = st.sampled_from(
    ["..", ".", "/", "\\", "-", " ", "CON", "nul", "COM1", "LPT¹", ".txt", "a", "%2F", "%00", "\0", ".part", ".json"]
)
sequences = st.lists(dangers).map("".join)
long = st.builds("".join, st.tuples(st.text("aé日🎉. ", min_size=80), st.sampled_from(["", ".tar.gz", ".x"])))
suggestions = hostile | sequences | long


@pytest.mark.parametrize(
    ("suggested", "name"),
    [
        pytest.param("report.pdf", "report.pdf", id="unchanged"),
        pytest.param("naïve schedule 日本 🎉.txt", "naïve schedule 日本 🎉.txt", id="beyond ASCII"),
        pytest.param("../../.ssh/authorized_keys", "authorized_keys", id="RFC 6266 §4.3 the last part of a path"),
        pytest.param("C:\\Windows\\x.dll", "x.dll", id="the last part of a Windows path"),
        pytest.param("C:x.dll", "C_x.dll", id="a drive, or a stream"),
        pytest.param(".bashrc", "_.bashrc", id="hidden"),
        pytest.param(" .bashrc", "_.bashrc", id="hidden behind a space"),
        pytest.param("\xa0.bashrc", "_.bashrc", id="hidden behind another space"),
        pytest.param("-rf", "_-rf", id="an option"),
        pytest.param("a.txt. . ", "a.txt", id="dots and spaces at the end"),
        pytest.param("NUL", "_NUL", id="a device"),
        pytest.param("con.tar.gz", "_con.tar.gz", id="a device with extensions"),
        pytest.param("aux .txt", "_aux .txt", id="a device and a space"),
        pytest.param("lpt²", "_lpt²", id="a device with a superscript"),
        pytest.param("console.log", "console.log", id="not a device"),
        pytest.param("a\r\nb\0c\x7fd\x85e", "a__b_c_d_e", id="controls"),
        pytest.param("invoice\u202efdp.exe", "invoice_fdp.exe", id="a mark that changes the direction"),
        pytest.param("a\u2028b", "a_b", id="a line separator"),
        pytest.param('x<>:"|?*', "x_______", id="what Windows forbids"),
        pytest.param("a\u3000b", "a b", id="another space"),
        pytest.param("e\u0301.txt", "é.txt", id="composed"),
        pytest.param("．．／x", "．．／x", id="fullwidth dots and slash"),
        pytest.param("a.iso.part", "a.iso.part_", id="a part"),
        pytest.param("a.iso.PART.json", "a.iso.PART.json_", id="a journal"),
        pytest.param("a.part.json.tmp", "a.part.json.tmp_", id="a temporary journal"),
        pytest.param("a.part.new", "a.part.new_", id="the part of a newer version"),
        pytest.param("a.part.new.json", "a.part.new.json_", id="its journal"),
        pytest.param("a.part. ", "a.part_", id="a part with a dot and a space"),
        pytest.param(".part", "_.part_", id="a part of nothing"),
        pytest.param("a.parts", "a.parts", id="not a part"),
        pytest.param("..", "download", id="the folder above"),
        pytest.param(". .", "download", id="nothing is left"),
        pytest.param("x/", "download", id="a folder"),
    ],
)
def test_a_suggested_name_is_made_safe(suggested: str, name: str) -> None:
    assert file_name(None, f"https://example.com/{quote(suggested, safe='')}") == name


@pytest.mark.parametrize(
    ("disposition", "url", "name"),
    [
        pytest.param("attachment; filename=a; filename*=UTF-8''b", "/c", "b", id="RFC 6266 §4.3 filename* is first"),
        pytest.param("attachment; filename=a", "/c", "a", id="then filename"),
        pytest.param("inline; filename=a", "/c", "a", id="RFC 6266 §4.2 inline, too"),
        pytest.param("attachment", "/c", "c", id="then the path of the URL"),
        pytest.param(None, "/d/c?key=e/f#g/h", "c", id="without query and fragment"),
        pytest.param('attachment; filename=".."', "/c", "c", id="an invalid name is skipped"),
        pytest.param("attachment; filename=a b", "/c", "a b", id="a malformed field has a name too"),
        pytest.param('attachment; filename="\ud800"', "/c", "_", id="a lone surrogate"),
        pytest.param(None, "/%ff", "%ff", id="bytes that are not UTF-8 stay as they were sent"),
        pytest.param(None, "", "download", id="then the default name"),
    ],
)
def test_the_sources_of_a_name_have_this_order(disposition: str | None, url: str, name: str) -> None:
    assert file_name(disposition, f"https://example.com{url}") == name


@pytest.mark.parametrize(
    ("suggested", "name"),
    [
        pytest.param("a" * 240, "a" * 240, id="just fits"),
        pytest.param("a" * 241, "a" * 240, id="one too many"),
        pytest.param("a" * 300 + ".tar.gz", "a" * 233 + ".tar.gz", id="keeps its extension"),
        pytest.param("a" * 300 + "." + "b" * 100, "a" * 240, id="too long for an extension"),
        pytest.param("日" * 100 + ".txt", "日" * 78 + ".txt", id="bytes count, characters stay whole"),
        pytest.param("a" * 239 + ". b", "a" * 239, id="no dot at the new end"),
        pytest.param("a" * 235 + ".part more", "a" * 235 + ".par_", id="no part suffix at the new end"),
    ],
)
def test_a_long_name_is_shortened(suggested: str, name: str) -> None:
    assert file_name(content_disposition("attachment", suggested), "https://example.com/") == name


@given(suggestions, suggestions)
def test_a_name_is_safe(suggested: str, path: str) -> None:
    url = f"https://example.com/{path.replace('?', '').replace('#', '')}"
    for name in (file_name(content_disposition("attachment", suggested), url), file_name(None, url)):
        assert 0 < len(name.encode()) <= LONGEST
        assert not re.search(r'[/\\<>:"|?*]', name)
        assert name == name.strip().rstrip(".")
        assert not name.startswith((".", "-"))
        assert not name.lower().endswith((".part", ".part.json", ".part.json.tmp", ".part.new", ".part.new.json"))
        assert name.partition(".")[0].rstrip(" ").upper() not in DEVICES
        assert not {"Cc", "Cf", "Cs"} & {unicodedata.category(char) for char in name}


@given(suggestions)
def test_a_safe_name_does_not_change(suggested: str) -> None:
    name = file_name(content_disposition("attachment", suggested), "https://example.com/")
    assert file_name(content_disposition("attachment", name), "https://example.com/") == name


@pytest.mark.parametrize(
    ("name", "there", "found"),
    [
        pytest.param("a.txt", set(), "a.txt", id="free"),
        pytest.param("a.txt", {"a.txt"}, "a (1).txt", id="taken"),
        pytest.param("a.txt", {"a.txt", "a (1).txt", "a (2).txt"}, "a (3).txt", id="taken thrice"),
        pytest.param("a.tar.gz", {"a.tar.gz"}, "a (1).tar.gz", id="two extensions"),
        pytest.param("a", {"a"}, "a (1)", id="no extension"),
        pytest.param("a.b c", {"a.b c"}, "a.b c (1)", id="a dot in the name"),
        pytest.param("a" * 236 + ".txt", {"a" * 236 + ".txt"}, "a" * 232 + " (1).txt", id="a long name"),
    ],
)
def test_a_name_that_is_taken_gets_a_number(name: str, there: set[str], found: str) -> None:
    assert unused(Path("folder", name), lambda path: path.name in there) == Path("folder", found)


@pytest.mark.parametrize(
    ("url", "final", "name"),
    [
        pytest.param("/a", "/b", "a", id="the first URL has a name"),
        pytest.param("/", "/releases/b.zip?key=1", "b.zip", id="the first URL has none"),
        pytest.param("/", "/", "download", id="no URL has one"),
    ],
)
def test_the_url_of_the_response_names_the_file_if_the_first_one_does_not(url: str, final: str, name: str) -> None:
    assert file_name(None, f"https://example.com{url}", f"https://example.org{final}") == name


@pytest.mark.parametrize(
    ("disposition", "url", "name"),
    [
        pytest.param(None, "/folder/", "index.html", id="a folder, as in wget"),
        pytest.param(None, "", "index.html", id="a host alone"),
        pytest.param(None, "/about", "about", id="the URL has a name"),
        pytest.param('attachment; filename="a.html"', "/folder/", "a.html", id="the server gives a name"),
    ],
)
def test_a_page_without_a_name_is_an_index(disposition: str | None, url: str, name: str) -> None:
    assert file_name(disposition, f"https://example.com{url}", is_page=True) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("%B2%E2.zip", "%B2%E2.zip", id="another encoding"),
        pytest.param("%B2%E2/%C3%BC.zip", "ü.zip", id="only the folder is not UTF-8"),
    ],
)
def test_a_url_that_is_not_utf_8_keeps_its_percent_signs(path: str, name: str) -> None:
    assert file_name(None, f"https://example.com/{path}") == name


def test_a_name_that_the_locale_cannot_write_is_percent_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("ascii"))
    assert file_name("attachment; filename=ü 1.bin", "https://example.com/") == "%C3%BC 1.bin"

"""The name in a Content-Disposition field as browsers, curl and wget read it."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from async_downloads.semantics.disposition import content_disposition
from async_downloads.semantics.suggested_name import suggested_filename

CHINESE = "文件.zip"
WORD = f"=?UTF-8?B?{b64encode('naïve.pdf'.encode()).decode()}?="


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param("attachment; filename=My Report 2024.pdf", "My Report 2024.pdf", id="spaces without quotes"),
        pytest.param("attachment; filename=report(1).pdf", "report(1).pdf", id="brackets without quotes"),
        pytest.param("attachment; filename=a[1]@{b}.pdf ; size=3", "a[1]@{b}.pdf", id="other marks without quotes"),
        pytest.param("attachment; filename*=UTF-8''a%20(1)'s.pdf", "a (1)'s.pdf", id="what encodeURIComponent leaves"),
        pytest.param("attachment; filename=b; filename*=UTF-8''%C3%A9(1)", "é(1)", id="the better of two names"),
        pytest.param("attachment; filename*=\"UTF-8''%C3%A9\"", "é", id="quotes around an extended name"),
        pytest.param("attachment; filename*=''%C3%A9", "é", id="an extended name without a charset"),
        pytest.param("attachment; filename*=gbk''%CE%C4", "文", id="another charset"),
        pytest.param("attachment; filename*=%C3%A9.txt", "é.txt", id="an extended name that is only encoded"),
        pytest.param("attachment; filename*=%ff", "%ff", id="an extended name of unknown bytes"),
        pytest.param("attachment; filename*=rot13''n; filename=b", "b", id="a charset that is none"),
        pytest.param("attachment; filename*=UTF-8''%ff; filename=b", "b", id="bytes that are not of the charset"),
        pytest.param("attachment; filename*=UTF-8''%ZZ; filename=b", "b", id="a broken code beside another name"),
        pytest.param("attachment; filename*=UTF-8''%ZZ", "%ZZ", id="a broken code alone"),
        pytest.param("attachment; filename*=UTF-8''%ED%A0%80.zip", "%ED%A0%80.zip", id="bytes that are no UTF-8 alone"),
        pytest.param("attachment; filename=UTF-8''a%20b.zip", "a b.zip", id="an extended value without its asterisk"),
        pytest.param("attachment; filename=''a%20b.zip", "''a%20b.zip", id="single quotes before a name"),
        pytest.param("attachment; filename='a b.zip'", "a b.zip", id="single quotes around a name"),
        pytest.param("attachment; filename='a.zip'", "a.zip", id="single quotes around a token"),
        pytest.param("attachment; filename=\"'a.zip'\"", "'a.zip'", id="single quotes inside double quotes"),
        pytest.param("attachment; filename=it's.zip", "it's.zip", id="an apostrophe"),
        pytest.param(r'attachment; filename="C:\Users\me\a.zip"', r"C:\Users\me\a.zip", id="the path of a drive"),
        pytest.param(r'attachment; filename="\\nas\share\a.zip"', r"\nas\share\a.zip", id="the path of a share"),
        pytest.param("attachment; filename*0*=UTF-8''%C3%A9; filename*1=%b.zip", "é%b.zip", id="parts of two kinds"),
        pytest.param('attachment; filename*0="a b"; filename*1=c', "a bc", id="a name in parts"),
        pytest.param("attachment; filename*1*=%A9; filename*0*=UTF-8''%C3", "é", id="an extended name in parts"),
        pytest.param('filename="setup.exe"', "setup.exe", id="no type"),
        pytest.param("filename=a", "a", id="no type, no quotes"),
        pytest.param("attachment filename=a", "a", id="no semicolon"),
        pytest.param('attachment; filename = "a b" ', "a b", id="spaces around the equals sign"),
        pytest.param(f"attachment; filename={CHINESE}", CHINESE, id="characters without quotes"),
        pytest.param(
            f"attachment; filename={CHINESE}".encode().decode("latin-1"), CHINESE, id="raw UTF-8 read as Latin-1"
        ),
        pytest.param(f'attachment; filename="{CHINESE}"'.encode().decode("latin-1"), CHINESE, id="raw UTF-8 in quotes"),
        pytest.param('attachment; filename="caf\xe9.zip"', "café.zip", id="raw Latin-1"),
        pytest.param("attachment; filename=caf\xe9.zip", "café.zip", id="raw Latin-1 without quotes"),
        pytest.param(
            "attachment; filename=x.txt; modification-date=Wed, 12 Feb 1997 16:29:51 -0500", "x.txt", id="a bad date"
        ),
        pytest.param("attachment; filename=x; size=1=2; ;=;", "x", id="other bad parameters"),
        pytest.param('attachment; filename="a', "a", id="no closing quote"),
        pytest.param('attachment; filename="a\\', "a", id="nothing after a backslash"),
        pytest.param('attachment; x=(; filename="C:\\d\\a \\"b\\".txt"', 'C:\\d\\a "b".txt', id="a Windows path"),
        pytest.param("attachment; filename=a; filename=b", "a", id="the first of two"),
        pytest.param("attachment; filename=a b, attachment; filename=a b", "a b", id="the field twice"),
        pytest.param('attachment; size=(; x="; filename=no"; filename=yes', "yes", id="a name inside another value"),
        pytest.param('attachment; filename="%E6%96%87%E4%BB%B6.zip"', CHINESE, id="percent-encoded in quotes"),
        pytest.param('attachment; filename="100%25.txt"', "100%25.txt", id="a percent sign of the name"),
        pytest.param(f'attachment; filename="{WORD}"', "naïve.pdf", id="RFC 2047 base64"),
        pytest.param('attachment; filename="=?UTF-8?Q?na=C3=AFve_a?= =?UTF-8?q?b?="', "naïve ab", id="RFC 2047 quoted"),
        pytest.param('attachment; filename="=?UTF-8?B?a?="', "=?UTF-8?B?a?=", id="RFC 2047 damaged"),
        pytest.param('attachment; filename="=?x?Q?a?="', "=?x?Q?a?=", id="RFC 2047 of an unknown charset"),
        pytest.param('attachment; filename="=?UTF-8?Q?文?="', "=?UTF-8?Q?文?=", id="RFC 2047 beyond ASCII"),
        pytest.param("attachment", None, id="no name"),
        pytest.param("attachment; filename=", None, id="an empty name"),
        pytest.param('attachment; filename=""', None, id="an empty name in quotes"),
        pytest.param("attachment; filename", None, id="no equals sign"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_the_name_that_a_field_suggests_is(value: str, name: str | None) -> None:
    assert suggested_filename(value) == name


@given(st.text())
def test_a_written_name_is_read_back(name: str) -> None:
    clean = "".join(char if char.isprintable() else "_" for char in name)
    encoded = any(mark in clean for mark in ("%", "=?"))
    assert encoded or suggested_filename(content_disposition("attachment", clean)) == (clean or None)


@given(st.text(st.sampled_from("a;=\"\\ '%*e2-?,\ud800\xe9")) | st.text())
def test_a_name_is_read_or_not_whatever_the_field(text: str) -> None:
    assert suggested_filename(f"a; filename={text}") is None or text
    assert suggested_filename(text) is None or text


@pytest.mark.parametrize("before", ["", "a; filename=", 'a; filename="', "a; filename*=UTF-8''", "=?"])
def test_work_grows_no_faster_than_the_field(before: str, hostile: str) -> None:
    suggested_filename(before + hostile)

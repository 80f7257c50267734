"""Metalink 4 (RFC 5854)."""

import pytest

from async_downloads.client.metalink import MetalinkFile, parse_metalink

SHA256, SHA512 = "ab" * 32, "cd" * 64


def _document(*files: str) -> bytes:
    declaration, namespace = '<?xml version="1.0" encoding="UTF-8"?>', "urn:ietf:params:xml:ns:metalink"
    return f'{declaration}<metalink xmlns="{namespace}">{"".join(files)}</metalink>'.encode()


def _file(inner: str, name: str = "a.iso") -> str:
    return f'<file name="{name}"><size>7</size>{inner}</file>'


def test_the_strongest_digest_and_the_preferred_url_come_first() -> None:
    body = _document(
        _file(
            f"<hash type='md5'>{'0' * 32}</hash><hash type='sha-256'>{SHA256}</hash>"
            f"<hash type='sha-512'>{SHA512}</hash>"
            "<hash type='crc'>00</hash><pieces length='1' type='sha-1'><hash>00</hash></pieces>"
            "<url>http://c.example/a</url><url priority='2'>http://b.example/a</url>"
            "<url priority='1'> https://a.example/a </url><url priority='x'>ftp://d.example/a</url>"
        )
    )
    urls = ("https://a.example/a", "http://b.example/a", "http://c.example/a")
    assert parse_metalink(body) == (MetalinkFile("a.iso", f"sha512:{SHA512}", urls),)


def test_a_relative_url_starts_from_the_document() -> None:
    [file] = parse_metalink(_document(_file("<url>a.iso</url>", "x/a.iso")), "http://example.com/pub/list.meta4")
    assert file == MetalinkFile("x/a.iso", None, ("http://example.com/pub/a.iso",))


def test_a_file_without_a_url_of_http_is_left_out() -> None:
    body = _document(_file("<url>ftp://example.com/a</url>"), _file("<url>http://example.com/b</url>", "b"))
    assert [file.name for file in parse_metalink(body)] == ["b"]


def test_a_malformed_url_is_left_out() -> None:
    body = _document(_file("<url>http://[::1/a</url><url>http://example.com/a</url>"))
    assert parse_metalink(body)[0].urls == ("http://example.com/a",)


@pytest.mark.parametrize(("name", "safe"), [("./a", "a"), (".bashrc", "_.bashrc"), (".ssh/a", "_.ssh/a")])
def test_no_name_begins_with_a_dot(name: str, safe: str) -> None:
    [file] = parse_metalink(_document(_file("<url>http://example.com/a</url>", name)))
    assert file.name == safe


@pytest.mark.parametrize("name", ["a.part", "a/b.part.json", "a.PART.json.tmp"])
def test_a_name_of_an_unfinished_download_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="like that of an unfinished download"):
        parse_metalink(_document(_file("<url>http://example.com/a</url>", name)))


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", "", ".", "a\\b", "a&#10;b", "a&#x202e;b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name that is not a relative path"):
        parse_metalink(_document(_file("<url>http://example.com/a</url>", name)))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"<a", "not a Metalink file", id="not XML"),
        pytest.param(b"\xff", "codec can't decode", id="not UTF-8"),
        pytest.param(b"<metalink version='3.0'/>", "not a Metalink 4 file", id="Metalink 3"),
        pytest.param(_document(), "no file with an http or https URL", id="no file"),
        pytest.param(b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "must not have a document type", id="entities"),
    ],
)
def test_another_document_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_metalink(body)

"""Lists of checksums, as sha256sum and similar programs write them."""

import pytest

from async_downloads.client.checksum_list import ChecksumList

A, B = "ab" * 32, "cd" * 32


@pytest.mark.parametrize(
    ("line", "name", "checksum"),
    [
        pytest.param(f"{A}  a.iso", "a.iso", f"sha256:{A}", id="GNU, text"),
        pytest.param(f"{A} *a.iso", "a.iso", f"sha256:{A}", id="GNU, binary"),
        pytest.param(f"{A.upper()}  ./a.iso\r", "a.iso", f"sha256:{A}", id="upper case, a dot, CRLF"),
        pytest.param(f"{A} a.iso", "a.iso", f"sha256:{A}", id="one space"),
        pytest.param(f"{A}  a b.iso", "a b.iso", f"sha256:{A}", id="a space in the name"),
        pytest.param(rf"\{A}  a\\b\nc", "a\\b\nc", f"sha256:{A}", id="an escaped name"),
        pytest.param(f"{'0' * 128}  a", "a", f"sha512:{'0' * 128}", id="SHA-512"),
        pytest.param(f"{'0' * 32}  a", "a", f"md5:{'0' * 32}", id="MD5"),
        pytest.param(f"SHA256 (a (1).iso) = {A}", "a (1).iso", f"sha256:{A}", id="BSD"),
        pytest.param(f"SHA256(a (1).iso)= {A}", "a (1).iso", f"sha256:{A}", id="OpenSSL"),
        pytest.param(f"SHA2-256(a.iso)= {A}", "a.iso", f"sha256:{A}", id="OpenSSL 3"),
        pytest.param(f"SHA3-256 (a) = {A}", "a", f"sha3_256:{A}", id="BSD, another algorithm of that length"),
        pytest.param(f"{A}  sub/a.iso", "a.iso", f"sha256:{A}", id="found without its folder"),
        pytest.param(f"{A}  a.iso", "pub/x/a.iso", f"sha256:{A}", id="found by the name of a path"),
    ],
)
def test_a_line_is_read(line: str, name: str, checksum: str) -> None:
    text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{line}\n{B}  other\nNONE (x) = {A}\n{'0' * 34}  odd\n"
    assert str(ChecksumList.parse(text).find(name)) == checksum


@pytest.mark.parametrize("text", [A, f"{A}\n", f"\ufeff{A.upper()}\r\n"])
def test_a_checksum_alone_is_that_of_any_file(text: str) -> None:
    assert str(ChecksumList.parse(text).find("sub/a.iso")) == f"sha256:{A}"


def test_a_byte_order_mark_is_no_part_of_a_line() -> None:
    assert str(ChecksumList.parse(f"\ufeff{A}  a\n{B}  b\n").find("a")) == f"sha256:{A}"


def test_a_whole_path_comes_before_a_name() -> None:
    found = ChecksumList.parse(f"{A}  a\n{B}  sub/a\n")
    assert str(found.find("sub/a")) == f"sha256:{B}"
    assert str(found.find("a")) == f"sha256:{A}"


@pytest.mark.parametrize("path", ["y/a", "/pub/y/a", "out/pub/y/a"])
def test_the_folders_of_a_url_tell_files_of_one_name_apart(path: str) -> None:
    found = ChecksumList.parse(f"{A}  x/a\n{B}  y/a\n")
    assert str(found.find(path)) == f"sha256:{B}"


def test_the_longest_end_of_a_path_counts() -> None:
    found = ChecksumList.parse(f"{A}  a\n{B}  y/a\n")
    assert str(found.find("/pub/y/a")) == f"sha256:{B}"
    assert str(found.find("/pub/z/a")) == f"sha256:{A}"


def test_a_name_with_two_checksums_is_refused() -> None:
    with pytest.raises(ValueError, match="more than one checksum for 'a'"):
        ChecksumList.parse(f"{A}  x/a\n{B}  y/a\n").find("a")
    assert str(ChecksumList.parse(f"{A}  x/a\n{A}  y/a\n").find("a")) == f"sha256:{A}"


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_algorithms_the_strongest_counts(order: int) -> None:
    lines = [f"MD5 (a) = {'0' * 32}", f"SHA256 (a) = {A}", f"SHA1 (a) = {'0' * 40}"]
    assert str(ChecksumList.parse("\n".join(lines[::order])).find("a")) == f"sha256:{A}"


def test_two_lines_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="more than one checksum for 'a'"):
        ChecksumList.parse(f"{A}  a\n{B}  ./a\n")


@pytest.mark.parametrize("char", ["\u2028", "\x85", "\x0b", "\x1e"])
def test_only_a_line_feed_ends_a_line(char: str) -> None:
    found = ChecksumList.parse(f"{A}  a{char}b\n{B}  c\n")
    assert str(found.find(f"a{char}b")) == f"sha256:{A}"
    with pytest.raises(ValueError, match="no checksum"):
        found.find("a")


def test_a_missing_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no checksum for 'b'"):
        ChecksumList.parse(f"{A}  a").find("b")


@pytest.mark.parametrize("text", ["", "<html>404</html>", "a.iso"])
def test_a_list_without_checksums_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no line has a checksum and a name"):
        ChecksumList.parse(text)

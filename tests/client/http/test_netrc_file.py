"""The netrc file as curl reads it."""

import pytest

from async_downloads.client.http.netrc_file import find_entry, parse_netrc

ENTRY = ("a.example", "me", "secret")


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        pytest.param("machine A.example login me password secret", [ENTRY], id="one line"),
        pytest.param("machine a.example\n\tlogin me\n\tpassword secret\n", [ENTRY], id="three lines"),
        pytest.param("\ufeffmachine a.example password secret user me\r\n", [ENTRY], id="a byte order mark, CRLF"),
        pytest.param("machine a.example login me account x password secret", [ENTRY], id="an account"),
        pytest.param(
            "# old\n  # machine b login c\nmachine a.example login me password secret # x", [ENTRY], id="comments"
        ),
        pytest.param("oops\nmachine a.example login me oops password secret oops", [ENTRY], id="unknown words"),
        pytest.param("machine a.example login me password secret password no", [ENTRY], id="the first of two values"),
        pytest.param(
            "macdef init\nmachine b login c password d\n\nmachine a.example login me password secret",
            [ENTRY],
            id="a macro",
        ),
        pytest.param(
            "default login you password no\nmachine a.example login me password secret", [ENTRY], id="default before"
        ),
        pytest.param(
            "machine a.example login me password secret default login you password no", [ENTRY], id="default after"
        ),
        pytest.param(
            r'machine a.example login "m e" password "a\"b\\c#"', [("a.example", "m e", r'a"b\c#')], id="quotes"
        ),
        pytest.param("machine a login b password #c", [("a", "b", "#c")], id="a password like a comment"),
        pytest.param('machine a login "b', [("a", "b", "")], id="no closing quote, no password"),
        pytest.param("machine a machine b password c", [("a", "", ""), ("b", "", "c")], id="a host without words"),
        pytest.param("machine [::1] login a password b", [("::1", "a", "b")], id="an address in brackets"),
        pytest.param("machine", [("", "", "")], id="no host"),
        pytest.param("login a password b", [], id="words before any host"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_a_file_is_read(text: str, entries: list[tuple[str, str, str]]) -> None:
    assert parse_netrc(text) == entries


def test_the_first_entry_for_a_host_and_a_user_name_counts() -> None:
    entries = parse_netrc("machine a login b password c machine a login d password e machine a login d password f")
    assert find_entry(entries, "a") == ("a", "b", "c")
    assert find_entry(entries, "a", "d") == ("a", "d", "e")
    assert find_entry(entries, "a", "x") is None
    assert find_entry(entries, "b") is None

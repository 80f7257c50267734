"""Which URLs of objects can be signed."""

from datetime import timedelta

import pytest

from async_downloads.sources.object_storage.signing import sign_object

_HOUR = timedelta(hours=1)
_VARIABLES = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize(
    ("url", "expires", "reason"),
    [
        ("s3://bucket", _HOUR, "names no object"),
        ("s3://bucket/", _HOUR, "names no object"),
        ("memory://bucket/a", _HOUR, "names no object"),
        ("s3://bucket/a?b=c", _HOUR, "no options"),
        ("s3://bucket/a", timedelta(days=8), "seven days"),
        ("s3://bucket/a", timedelta(0), "one second"),
        ("gs://bucket/a", _HOUR, "for s3:// only"),
        ("file:///bucket/a", _HOUR, "not the URL of an object store"),
    ],
)
def test_what_cannot_be_signed_is_refused(
    url: str, expires: timedelta, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _VARIABLES.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=reason):
        sign_object(url, expires=expires, name="b")


def test_a_url_of_s3_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(ValueError, match="needs the variables AWS_ACCESS_KEY_ID"):
        sign_object("s3://bucket/a", expires=_HOUR)

"""`async-downloads sign s3://…`: URLs of objects that the bucket itself sends."""

import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tools.command import finished


def test_a_signed_url_of_an_object_downloads_it(s3_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello")
    assert finished("put", tmp_path / "a.txt", "--name", "docs/a b#%20.txt", "--bucket", s3_url).returncode == 0
    signed = finished("sign", f"{s3_url}/docs/a b#%20.txt", "--expires", "1h", "--name", "ä.txt")
    assert (signed.returncode, signed.stderr) == (0, "")
    response = httpx.get(signed.stdout.strip(), headers={"Range": "bytes=1-2"})
    assert (response.status_code, response.content) == (206, b"el")
    assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert parse_qs(urlsplit(signed.stdout.strip()).query)["X-Amz-Expires"] == ["3600"]
    assert httpx.get(signed.stdout.strip().replace("docs", "other")).status_code == 403


def test_a_url_of_azure_is_signed_without_a_request() -> None:
    key = base64.b64encode(b"secret").decode()
    account = {"AZURE_STORAGE_ACCOUNT_NAME": "me", "AZURE_STORAGE_ACCOUNT_KEY": key}
    signed = finished("sign", "az://files/docs/a.txt", "--expires", "30m", env=account)
    assert signed.stdout.startswith("https://me.blob.core.windows.net/files/docs/a.txt?"), signed.stderr
    assert "sig=" in signed.stdout


_KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize(
    ("arguments", "variables", "reason"),
    [
        (("s3://bucket",), _KEYS, "names no object"),
        (("s3://bucket/",), _KEYS, "names no object"),
        (("memory://bucket/a",), _KEYS, "names no object"),
        (("s3://bucket/a?b=c",), _KEYS, "no options"),
        (("s3://bucket/a", "--expires", "8d"), _KEYS, "seven days"),
        (("s3://bucket/a", "--expires", "0s"), _KEYS, "one second"),
        (("s3://bucket/a", "--ip", "192.0.2.1"), _KEYS, "--ip is for links of a server"),
        (("s3://bucket/a",), {"AWS_ACCESS_KEY_ID": ""}, "needs the variables AWS_ACCESS_KEY_ID"),
        (("gs://bucket/a", "--name", "b"), {}, "for s3:// only"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_signed_is_said(arguments: tuple[str, ...], variables: dict[str, str], reason: str) -> None:
    ended = finished("sign", "--expires", "1h", *arguments, env=variables)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert reason in ended.stderr

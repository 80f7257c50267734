"""`async-downloads sign s3://…`: URLs of objects that the bucket itself sends."""

import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
from harness.waiting import HANGING
from tools.command import finished


def test_a_signed_url_of_an_object_downloads_it(s3_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello")
    assert finished("put", tmp_path / "a.txt", "--name", "docs/a b#%20.txt", "--bucket", s3_url).returncode == 0
    signed = finished("sign", f"{s3_url}/docs/a b#%20.txt", "--expires", "1h", "--name", "ä.txt")
    assert (signed.returncode, signed.stderr) == (0, "")
    response = httpx.get(signed.stdout.strip(), headers={"Range": "bytes=1-2"}, timeout=HANGING)
    assert (response.status_code, response.content) == (206, b"el")
    assert response.headers["content-disposition"].startswith("attachment; filename=")
    assert parse_qs(urlsplit(signed.stdout.strip()).query)["X-Amz-Expires"] == ["3600"]
    assert httpx.get(signed.stdout.strip().replace("docs", "other"), timeout=HANGING).status_code == 403


def test_a_url_of_azure_is_signed_without_a_request() -> None:
    key = base64.b64encode(b"secret").decode()
    account = {"AZURE_STORAGE_ACCOUNT_NAME": "me", "AZURE_STORAGE_ACCOUNT_KEY": key}
    signed = finished("sign", "az://files/docs/a.txt", "--expires", "30m", env=account)
    assert signed.stdout.startswith("https://me.blob.core.windows.net/files/docs/a.txt?"), signed.stderr
    assert "sig=" in signed.stdout


def test_a_url_that_cannot_be_signed_is_an_error() -> None:
    ended = finished("sign", "s3://bucket/a", "--expires", "1h", "--ip", "192.0.2.1")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "a bucket does not check addresses" in ended.stderr
    ended = finished("sign", "s3://bucket/", "--expires", "1h")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "async-downloads: 's3://bucket/' names no object of a bucket: expected s3://bucket/key\n"

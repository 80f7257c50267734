"""URLs for S3 that are signed: the example of AWS, equal URLs, and a real server."""

import os
import time

import httpx
import pytest
from harness.waiting import HANGING

from async_downloads.sources.object_storage import ObjectStore, S3Signer
from async_downloads.sources.object_storage.environment import ENDPOINTS

_NOW = 1_369_353_600.0  # 2013-05-24 00:00:00 UTC
_KEY_ID, _SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # published by AWS


def test_the_signature_is_that_of_the_example_of_aws() -> None:
    """Amazon S3 API Reference, Authenticating Requests: Using Query Parameters."""
    signer = S3Signer("https://examplebucket.s3.amazonaws.com", "", _KEY_ID, _SECRET)
    url = signer.sign("GET", "test.txt", now=_NOW, seconds=86400)
    assert url.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


def test_within_a_window_all_urls_are_equal() -> None:
    signer = S3Signer("https://bucket.example", "prefix", _KEY_ID, _SECRET)
    urls = [signer.sign("GET", "a", now=_NOW + after, seconds=600, window=300) for after in (0, 1, 299.9, 300)]
    assert urls[0] == urls[1] == urls[2] != urls[3]
    assert "/prefix/a?" in urls[0]
    assert "X-Amz-Expires=900&" in urls[0]


@pytest.mark.parametrize("server", ["s3_url", "swift_url"])
@pytest.mark.parametrize("key", ["a.txt", "ü 1+?&=%25.txt", "deep/er/x"])
def test_real_servers_accept_the_urls(request: pytest.FixtureRequest, server: str, key: str) -> None:
    signer = S3Signer.from_environment(request.getfixturevalue(server))
    assert signer
    now = time.time()
    assert httpx.put(signer.sign("PUT", key, now=now, seconds=60), content=b"data", timeout=HANGING).status_code == 200
    name = {"response-content-disposition": 'attachment; filename="b.txt"'}
    response = httpx.get(signer.sign("GET", key, now=now, seconds=60, window=30, parameters=name), timeout=HANGING)
    assert (response.content, response.headers["content-disposition"]) == (b"data", 'attachment; filename="b.txt"')
    assert httpx.head(signer.sign("GET", key, now=now, seconds=60), timeout=HANGING).status_code in {200, 403}


@pytest.mark.parametrize(
    ("environment", "base"),
    [
        ({}, "https://bucket.s3.us-east-1.amazonaws.com"),
        ({"AWS_REGION": "eu-central-1"}, "https://bucket.s3.eu-central-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/"}, "http://127.0.0.1:1/bucket"),
        ({"AWS_ENDPOINT": "http://127.0.0.1:1"}, "http://127.0.0.1:1/bucket"),
        ({"AWS_ENDPOINT": "http://127.0.0.1:1", "AWS_ENDPOINT_URL": "http://127.0.0.1:2"}, "http://127.0.0.1:2/bucket"),
    ],
    ids=str,
)
def test_the_environment_says_where_the_bucket_is(
    environment: dict[str, str], base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*ENDPOINTS["s3"], "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(name, value)
    signer = S3Signer.from_environment("s3://bucket/a%20b/c/")
    assert signer
    assert (signer.base, signer.prefix) == (base, "a b/c")
    assert "secret" not in repr(signer)


async def test_the_store_is_at_the_endpoint_of_s3_if_several_are_named(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the SDKs of AWS; obstore alone would take any of the variables."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", os.environ["AWS_ENDPOINT_URL"])
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await ObjectStore.from_url(s3_url).probe()


@pytest.mark.parametrize(("prefix", "key"), [("", "/a"), ("", "a/"), ("b", "a/")])
def test_a_slash_at_the_end_of_a_key_belongs_to_it(prefix: str, key: str) -> None:
    url = S3Signer("https://bucket.example", prefix, _KEY_ID, _SECRET).sign("GET", key, now=_NOW, seconds=60)
    assert url.startswith(f"https://bucket.example/{prefix and prefix + '/'}{key}?")


def test_a_session_token_is_part_of_the_url() -> None:
    signer = S3Signer("https://bucket.example", "", _KEY_ID, _SECRET, token="to/ken")
    assert "X-Amz-Security-Token=to%2Fken&" in signer.sign("GET", "a", now=_NOW, seconds=60)


@pytest.mark.parametrize("url", ["gs://bucket", "memory://"])
def test_other_stores_have_no_signer(url: str) -> None:
    assert S3Signer.from_environment(url) is None


def test_a_bucket_with_a_dot_is_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate of the host covers one label only."""
    for name in (*ENDPOINTS["s3"], "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    signer = S3Signer.from_environment("s3://my.bucket")
    assert signer
    assert signer.base == "https://s3.us-east-1.amazonaws.com/my.bucket"

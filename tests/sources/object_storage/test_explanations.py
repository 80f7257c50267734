"""The one line that says why a bucket cannot be used, and what to do."""

from pathlib import Path
from typing import Final

import pytest
from harness.ports import reserved_port
from harness.scripted import Connection, head, scripted
from obstore.exceptions import GenericError

from async_downloads.errors import DownloadError
from async_downloads.sources.object_storage import ObjectStore
from async_downloads.sources.object_storage.errors import meaning_of
from async_downloads.sources.object_storage.writing import BucketFiles

_LISTING: Final = (
    "Generic S3 error: Error performing list request: Error performing GET http://h:9/b?list-type=2 in 9ms"
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set variables with which a request can be signed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


async def _problem(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return why a bucket at this URL cannot be listed."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(DownloadError) as caught:
        await BucketFiles.from_url("s3://bucket").files()
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_without_a_server_the_variable_of_its_url_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        problem = await _problem(url, monkeypatch)
    fix = "start the store, or correct AWS_ENDPOINT_URL"
    assert problem == f"{url} cannot be used: no server listens there: {fix}"


async def test_a_mistake_between_http_and_https_is_named(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.reader.read(100)
        await connection.send(head("content-length: 0", status="400 Bad Request"))

    async with scripted(refuse) as server:
        problem = await _problem(f"https://127.0.0.1:{server.port}", monkeypatch)
        assert problem.endswith("it does not speak TLS: begin AWS_ENDPOINT_URL with http://")
    async with scripted(refuse, certificate=certificate) as server:
        problem = await _problem(f"http://127.0.0.1:{server.port}", monkeypatch)
        assert problem.endswith("if it speaks TLS, use https:// in AWS_ENDPOINT_URL")
        assert "cannot be used: its certificate" in await _problem(f"https://127.0.0.1:{server.port}", monkeypatch)


@pytest.mark.parametrize(
    ("status", "code", "explanation"),
    [
        ("404 Not Found", "NoSuchBucket", "create the bucket, or correct its name"),
        ("403 Forbidden", "RequestTimeTooSkewed", "correct the clock of this machine"),
        ("403 Forbidden", "InvalidAccessKeyId", "correct AWS_ACCESS_KEY_ID"),
        ("403 Forbidden", "SignatureDoesNotMatch", "correct AWS_SECRET_ACCESS_KEY"),
        ("400 Bad Request", "ExpiredToken", "set new credentials, with AWS_SESSION_TOKEN"),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "set AWS_REGION=eu-west-1"),
        ("301 Moved", "PermanentRedirect", "set AWS_REGION to the bucket's region"),
    ],
)
async def test_what_the_store_says_is_shown_with_what_to_do(
    status: str, code: str, explanation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = "<Region>eu-west-1</Region>" if code == "AuthorizationHeaderMalformed" else ""
    body = f"<Error><Code>{code}</Code><Message>Words.</Message>{region}</Error>".encode()

    async def refuse(connection: Connection) -> None:
        await connection.request()
        await connection.send(head(f"content-length: {len(body)}", "connection: close", status=status), body)

    async with scripted(refuse) as server:
        problem = await _problem(f"http://127.0.0.1:{server.port}", monkeypatch)
    assert problem.startswith(f"GET http://127.0.0.1:{server.port}/bucket: ")
    assert problem.endswith(f": {explanation}")
    assert code in problem or code == "PermanentRedirect"


@pytest.mark.parametrize(
    ("cause", "explanation"),
    [
        ('ConnectError("dns error", Custom { error: "failed" })', "the host is unknown: correct the URL of the store"),
        ("HTTP error: error sending request", "it does not respond: start the store, or correct the URL of the store"),
        ("Connect, TimedOut", "it did not respond in time: check that it runs, or correct the URL of the store"),
        ("InvalidCertificate(\n UnknownIssuer)", "not trusted: set SSL_CERT_FILE to the file of its authority"),
        ("InvalidCertificate(\n NotValidForNameContext {", "is for another host: correct the URL of the store"),
        ("InvalidCertificate(\n ExpiredContext {", "is not valid now: renew it, or correct the clock"),
        ("InvalidCertificate(\n BadSignature", "its certificate is not valid: renew it"),
    ],
)
def test_a_failed_connection_names_its_cause(cause: str, explanation: str) -> None:
    text = f"{_LISTING.replace('S3', 'GCS')}  - HTTP error: error sending request\n\nDebug source:\n inner: {cause}"
    meaning = str(meaning_of(GenericError(text)))
    assert meaning.startswith("http://h:9 cannot be used: ")
    assert meaning.endswith(explanation)


def test_an_unknown_cause_is_shown_without_times_and_tries() -> None:
    text = f"{_LISTING}, after 3 retries, max_retries: 3, retry_timeout: 10s  - HTTP error: odd\n\nDebug source:"
    assert str(meaning_of(GenericError(text))) == "GET http://h:9/b: HTTP error: odd"


async def test_without_an_endpoint_the_region_makes_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    text = f'{_LISTING}  - HTTP error: error sending request\n inner: ConnectError("dns error"'
    assert str(meaning_of(GenericError(text))).endswith("the host is unknown: correct AWS_REGION")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("AWS_ENDPOINT_URL", url) for url in ("127.0.0.1:9", "ftp://a", "http://", "http://a:99999", "http://a b/")),
        ("AWS_ENDPOINT_URL", "http://me:secret@host"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9\n"),
        ("AWS_ACCESS_KEY_ID", "key\n"),
        ("AWS_SECRET_ACCESS_KEY", "secret\n"),
        ("AWS_SESSION_TOKEN", "to ken"),
        ("AWS_REGION", "eu west"),
    ],
)
def test_a_variable_that_obstore_would_panic_at_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=f"^{variable} ") as caught:
        ObjectStore.from_url("s3://bucket")
    assert "secret" not in str(caught.value)

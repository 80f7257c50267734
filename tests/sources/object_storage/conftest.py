"""A second real S3 server, for tests of what two servers agree on."""

from collections.abc import Iterator, Mapping
from uuid import uuid4

import pytest
from harness.seaweedfs import BUCKET
from harness.swift import swift


@pytest.fixture(scope="session")
def _swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Run a Swift from the first test that needs it until the last test."""
    with swift(tmp_path_factory.mktemp("swift")) as environment:
        yield environment


@pytest.fixture
def swift_url(_swift: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a part of a bucket on Swift, for this test alone; the environment says how to reach it."""
    for name, value in _swift.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"

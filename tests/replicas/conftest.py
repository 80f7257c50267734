"""Two servers of one file behind nginx and HAProxy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from harness.seaweedfs import BUCKET, seaweedfs
from harness.waiting import HANGING

from replicas.fronts import Fronts, fronts
from replicas.replica import CONTENT, NAME, Replica, copies, replicas


@dataclass(frozen=True, slots=True)
class Site:
    """The servers, and the URLs of the fronts by name."""

    replicas: tuple[Replica, Replica]
    fronts: Fronts

    def url(self, front: str) -> str:
        """The URL of the file."""
        return f"{self.fronts[front]}/{NAME}"


@contextmanager
def _site(scratch: Path, served: Sequence[Path | str], *options: str, env: Mapping[str, str] = {}) -> Iterator[Site]:
    drain = ("--drain-delay", "3")  # longer than HAProxy takes to notice
    with replicas(scratch, served, *drain, *options, env=env) as both, fronts(scratch / "fronts", both) as urls:
        yield Site(both, urls)


@contextmanager
def _bucket(scratch: Path) -> Iterator[Site]:
    """Serve one bucket twice."""
    with seaweedfs(scratch) as server:
        httpx.put(f"{server.endpoint}/{BUCKET}/{NAME}", content=CONTENT, timeout=HANGING).raise_for_status()
        url = f"s3://{BUCKET}"
        with _site(scratch, (url, url), env=server.environment) as site:
            yield site


@pytest.fixture(scope="session", params=["mtime", "digest", "bucket"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Copies that kept their dates, copies that did not, and one bucket."""
    scratch = tmp_path_factory.mktemp(request.param)
    if request.param == "bucket":
        with _bucket(scratch) as site:
            yield site
        return
    served = copies(scratch / "files", same_dates=request.param == "mtime")
    with _site(scratch, served, "--etag", request.param) as site:
        yield site

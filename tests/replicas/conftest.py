"""Two servers of one file behind nginx and HAProxy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from replicas.fronts import Fronts, fronts
from replicas.replica import NAME, Replica, replicas


@dataclass(frozen=True, slots=True)
class Site:
    """The servers, and the URLs of the fronts by name."""

    replicas: tuple[Replica, Replica]
    fronts: Fronts

    def url(self, front: str) -> str:
        """The URL of the file."""
        return f"{self.fronts[front]}/{NAME}"


@pytest.fixture(scope="session", params=["mtime", "digest"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Copies that kept their dates, and copies that did not."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    options = ("--etag", request.param, "--drain-delay", "3")  # longer than HAProxy takes to notice
    with (
        replicas(folder / "files", *options, same_dates=request.param == "mtime") as both,
        fronts(folder / "fronts", both) as urls,
    ):
        yield Site(both, urls)

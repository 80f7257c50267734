"""The description of a server: its command, its requirements, and its scenarios."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = [
    "DIRECTORY",
    "EVERY",
    "HOST",
    "HTTP2",
    "MAIN",
    "PYTHON",
    "SCRATCH",
    "Server",
    "Site",
    "missing_module",
    "nothing",
    "package_versions",
]

HOST = "127.0.0.1"
PYTHON = sys.executable
DIRECTORY = "BENCHMARK_DIRECTORY"  # the environment variable with the folder that an application serves
SCRATCH = "BENCHMARK_SCRATCH"  # the environment variable with the folder that `prepare` has filled for it
EVERY = frozenset({"large", "small", "ranges", "slow", "leaving", "cold"})
MAIN = EVERY | {"tls", "far"}  # one way to run each server is enough for these
HTTP2 = MAIN | {"http2"}


@dataclass(frozen=True, slots=True)
class Site:
    """The input of one start of a server: the files, a free port, and a folder for its own use; TLS if ``secure``.

    The server listens on ``host``, which is loopback for every scenario but `far`.
    """

    directory: Path
    port: int
    scratch: Path
    secure: bool = False
    host: str = HOST

    @property
    def address(self) -> str:
        """Return host and port, joined by a colon."""
        return f"{self.host}:{self.port}"

    @property
    def certificate(self) -> Path:
        """Return the path of the certificate; the file exists if the site is secure."""
        return self.scratch / "certificate.pem"

    @property
    def key(self) -> Path:
        """Return the path of the private key; the file exists if the site is secure."""
        return self.scratch / "key.pem"

    def tls(self, certificate: str, key: str) -> list[str]:
        """Return these two options with their files, or nothing for a site without TLS."""
        return [certificate, str(self.certificate), key, str(self.key)] if self.secure else []


def nothing(site: Site) -> None:
    """Do nothing: the server needs no preparation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One contestant; ``missing`` says why it cannot run here, or None.

    ``prepare`` may write into the site's scratch folder before each start. ``lacks`` has a reason for each protocol
    (``tls``, ``h2``) that the server does not speak.
    """

    name: str
    title: str
    command: Callable[[Site], list[str]]
    versions: Callable[[], str]
    missing: Callable[[], str | None]
    scenarios: frozenset[str] = EVERY
    prepare: Callable[[Site], None] = nothing
    lacks: Mapping[str, str] = field(default_factory=dict)
    client: str = ""  # the command line of the client, if clients are compared


def package_versions(*packages: str) -> str:
    """Return the installed versions as one line; a package that is not installed is left out."""
    found = ((package, _version(package)) for package in packages)
    return ", ".join(f"{package} {number}" for package, number in found if number)


def missing_module(*modules: str) -> str | None:
    """Return the first module that cannot be imported, as a reason."""
    return next((f"no module {module}" for module in modules if not _importable(module)), None)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False

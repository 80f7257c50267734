"""What the harness knows of a server: its command, what it needs, and which scenarios fit it."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["DIRECTORY", "EVERY", "HOST", "PYTHON", "Server", "Site", "missing_module", "package_versions"]

HOST = "127.0.0.1"
PYTHON = sys.executable
DIRECTORY = "BENCHMARK_DIRECTORY"  # the environment variable that tells an application what to serve
EVERY = frozenset({"large", "small", "ranges", "slow", "leaving", "cold"})


@dataclass(frozen=True, slots=True)
class Site:
    """What one start of a server gets: the files, a free port, and a folder for its own use."""

    directory: Path
    port: int
    scratch: Path

    @property
    def address(self) -> str:
        """Return host and port in one word."""
        return f"{HOST}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One contestant; ``missing`` says why it cannot run here, or None."""

    name: str
    title: str
    command: Callable[[Site], list[str]]
    versions: Callable[[], str]
    missing: Callable[[], str | None]
    scenarios: frozenset[str] = EVERY


def package_versions(*packages: str) -> str:
    """Return the installed versions as one line; an optional package that is not there is left out."""
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

"""A description of the machine of a run, by which a reader can judge the figures."""

import os
import platform
import resource
import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.process import ROOT, Cores
from benchmarks.results import RESULTS

__all__ = ["describe", "drivers", "revision"]


def describe(cores: Cores) -> dict[str, object]:
    """Return hardware, system, interpreter and every installed package; no names of users or folders."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cpu": _field(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unnamed",
        "cores": os.cpu_count(),
        "memory": _field(Path("/proc/meminfo"), "MemTotal"),
        "load_before": os.getloadavg()[0],
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "pinned": {"server": cores.server, "client": cores.client, "probe": cores.probe},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "revision": revision(),
        **drivers(),
        "packages": {each.name: each.version for each in sorted(distributions(), key=_name)},
    }


def drivers() -> dict[str, str | None]:
    """Return the versions of the load drivers that are programs; None for one that is not installed."""
    return {"wrk": _program("wrk", "-v"), "h2load": _program("h2load", "--version")}


def _name(distribution: "object") -> str:
    return str(getattr(distribution, "name", "")).lower()


def _field(path: Path, name: str) -> str:
    """Return the first value of that name in a /proc file."""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def revision(root: Path = ROOT) -> str:
    """Return the commit, marked as dirty when the tree has anything else; a new result alone is not that."""
    commit = _output("git", "-C", str(root), "rev-parse", "--short", "HEAD")
    changes = _output("git", "-C", str(root), "status", "--porcelain", "--", ".", f":!{RESULTS.relative_to(ROOT)}")
    return f"{commit}-dirty" if commit and changes else commit or "unknown"


def _program(name: str, option: str) -> str | None:
    """Return the version that a load driver prints, or None if it is not installed."""
    if shutil.which(name) is None:
        return None
    return _output(name, option).partition("Copyright")[0].strip()


def _output(*command: str) -> str:
    """Return the output of a program, whatever its exit code: wrk prints its version and fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
    except OSError:
        return ""

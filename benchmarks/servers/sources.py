"""One server, Hypercorn with this project's application, over each kind of store.

A store is an entry here and a module with an ``app`` over it. One that has to be filled does that in ``prepare``, from
the site's directory into its scratch folder (or into a database), where the module finds it by ``SCRATCH``.
"""

from collections.abc import Callable
from functools import partial

from benchmarks.servers.base import Server, Site, missing_module, nothing, package_versions
from benchmarks.servers.commands import hypercorn

__all__ = ["SOURCES"]


def _source(
    name: str, title: str, module: str, *needed: str, prepare: Callable[[Site], None] = nothing, packages: str = ""
) -> Server:
    """Return the server over a store that needs these modules, and whose versions are those of the packages."""
    return Server(
        name=f"source-{name}",
        title=f"Downloads of {title}, Hypercorn",
        command=hypercorn(f"benchmarks.servers.{module}:app"),
        versions=partial(package_versions, "async-downloads", "hypercorn", *packages.split()),
        missing=partial(missing_module, "async_downloads.asgi", *needed, "hypercorn"),
        scenarios=frozenset({"sources"}),
        prepare=prepare,
    )


SOURCES = (
    _source("memory", "bytes in memory", "source_memory_app", "async_downloads.sources.memory"),
    _source("file", "a file", "downloads_app", "async_downloads.sources.directory"),
)

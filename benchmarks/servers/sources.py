"""One server, Hypercorn with this project's application, over each kind of store.

A store is an entry here and a module with an ``app`` over it. If a store must be filled, ``prepare`` does it: it copies
the site's directory into the scratch folder (or a database), where the module finds it by ``SCRATCH``.
"""

from collections.abc import Callable
from functools import partial

from benchmarks.servers.base import Server, Site, missing_module, nothing, package_versions
from benchmarks.servers.commands import hypercorn
from benchmarks.servers.databases import no_postgres, prepare_postgres, prepare_sqlite

__all__ = ["SOURCES"]


def no_hypercorn() -> str | None:
    """Return why Hypercorn cannot run here."""
    return missing_module("hypercorn")


def _source(
    name: str,
    title: str,
    module: str,
    *,
    prepare: Callable[[Site], None] = nothing,
    missing: Callable[[], str | None] = no_hypercorn,
    packages: tuple[str, ...] = (),
) -> Server:
    """Return the server over a store; its versions are those of the packages, too."""
    return Server(
        name=f"source-{name}",
        title=title,
        command=hypercorn(f"benchmarks.servers.{module}:app"),
        versions=partial(package_versions, "async-downloads", "hypercorn", *packages),
        missing=missing,
        scenarios=frozenset({"sources"}),
        prepare=prepare,
    )


SOURCES = (
    _source("memory", "Downloads of bytes in memory, Hypercorn", "source_memory_app"),
    _source("file", "Downloads of a file, Hypercorn", "downloads_app"),
    _source("sqlite", "Downloads of a file in SQLite, Hypercorn", "source_database_app", prepare=prepare_sqlite),
    _source(
        "postgres",
        "Downloads of a file in PostgreSQL, Hypercorn",
        "source_database_app",
        prepare=prepare_postgres,
        missing=no_postgres,
        packages=("asyncpg",),
    ),
    _source(
        "asyncpg",
        "a plain asyncpg loop, Hypercorn (floor)",
        "asyncpg_app",
        prepare=prepare_postgres,
        missing=no_postgres,
        packages=("asyncpg",),
    ),
)

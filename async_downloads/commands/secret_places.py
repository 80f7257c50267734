"""Check that clients cannot download the secrets of `serve`: a file of them could be in a served folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from ..config import PREFIX, ServerSettings, Settings, table
from .habits import CONFIG
from .messages import CannotRun

__all__ = ["check_secret_places"]


_IN_FILES: Final = tuple(row.name for row in table(Settings) if row.is_secret)


def check_secret_places(context: click.Context, settings: Settings, server: ServerSettings) -> None:
    """Raise CannotRun if clients could download the key of TLS, or a file with secrets that the settings come from."""
    from ..site.stored import shows

    for path in _secret_files(context, server):
        for folder in settings.folders:
            if shows(folder, path, hidden=settings.hidden):
                raise CannotRun(
                    f"{path} has secrets and is in {folder}, which is served: move it, or put a dot before its name"
                )


def _secret_files(context: click.Context, server: ServerSettings) -> Iterator[Path]:
    if key := server.keyfile or server.certfile:  # without --keyfile, the certificate's file has the key, too
        yield key
    config: Path | None = context.meta.get(CONFIG)
    if config and any(name in (context.default_map or {}) for name in ("auth", *_IN_FILES)):
        yield config
    for name in _IN_FILES:
        if path := os.environ.get(f"{PREFIX}{name.upper()}_FILE"):
            yield Path(path)

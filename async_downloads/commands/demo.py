"""`async-downloads demo`: sample data on every route."""

import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from ..config import Settings, table
from ..server.line_writer import print_nowait
from .announcing import announce, warn_of_plain_passwords
from .serve import run_site
from .server_options import BIND, LAN, PORT, QR, need, server_settings, setting_options

__all__ = ["demo"]


_ACCESS: Final = [row for row in table(Settings) if row.name in {"auth", "auth_file", "auth_path", "secret"}]


@click.command(epilog="Each option is also an environment variable: ASYNC_DOWNLOADS_LAN=yes.")
@setting_options([BIND, PORT, LAN, QR, *_ACCESS])
@click.pass_context
def demo(context: click.Context, /, **values: Any) -> int:
    """Serve sample data on every route, from a temporary folder."""
    need("fpdf", "the demo needs fpdf2", extra="demo")
    from ..server.listen import hold_signals

    hold_signals()
    from ..site.samples import TOUR, make_samples, name_server, samples

    def announce_samples(urls: Sequence[str], folder: Path) -> None:
        base = _for_curl(urls[0])
        for sample in samples():
            print_nowait(f"curl {sample.options} {base}{sample.path}  # {sample.description}\n")
        if not urls[0].startswith("unix:"):
            name_server(folder, urls[0].rstrip("/"))
            print_nowait(f"The tour begins at {urls[0].rstrip('/')}{TOUR}\n")
        announce("sample data", urls, qr=values["qr"])
        if values["auth"] or values["auth_file"]:
            warn_of_plain_passwords(urls)

    with tempfile.TemporaryDirectory(prefix="async-downloads-") as folder:
        settings = replace(make_samples(Path(folder)), **{row.name: values[row.name] for row in _ACCESS})
        return run_site(settings, server_settings(context, values), partial(announce_samples, folder=Path(folder)))


def _for_curl(url: str) -> str:
    """Return the arguments of curl for a server's URL; a path follows them directly."""
    if url.startswith("unix:"):
        return f"--unix-socket {shlex.quote(url.removeprefix('unix:'))} http://localhost"
    return shlex.quote(url.rstrip("/"))

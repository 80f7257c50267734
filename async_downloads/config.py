"""The settings of the site (`Settings`) and of the process that serves it (`ServerSettings`).

Each attribute is a row of a table: name, type, default, help text, and how its text is read. Everything else is made
from these rows: the options of `serve`, the variables `ASYNC_DOWNLOADS_*`, the keys of the TOML file and
`Settings.from_environment`. To add a setting, add a row here.
"""
# ruff: noqa: RUF009 - `_row` calls `field`

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self

from .access.accounts import read_account
from .access.protected_paths import read_protected_path
from .setting_rows import PREFIX, Setting, from_environment, table
from .setting_rows import row as _row
from .setting_texts import (
    read_bind,
    read_bytes,
    read_cache_control,
    read_field,
    read_mode,
    read_offload,
    read_origin,
    read_proxies,
    read_rate,
    read_seconds,
    read_whole_number,
)
from .sources.archive.walk import DEFAULT_LIMITS
from .sources.base import EtagKind
from .sources.database.catalogue import Identifier
from .timeouts import STALL_TIMEOUT

__all__ = ["DATABASE_VARIABLES", "PREFIX", "ServerSettings", "Setting", "Settings", "table"]


# In these variables the commands that manage a database find its URL. Many platforms set the second one, for any app.
# `serve` reads only the first one, because the database of another app must not be served.
DATABASE_VARIABLES: Final = (f"{PREFIX}DATABASE", "DATABASE_URL")
_seconds_or_zero: Final = partial(read_seconds, zero=True)
_RATE: Final[dict[str, Any]] = {"metavar": "RATE", "default_help": "no limit"}
_count: Final = partial(read_whole_number, least=1, most=1_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the site. A route exists only if its setting is given. `stall_timeout` is in seconds."""

    directory: Path | None = _row(None, "The folder at /.")
    paths: tuple[Path, ...] = _row(
        (),
        "Files and folders listed at / instead of one folder. In a variable, one per line.",
        separator="\n",
    )
    objects: str | None = _row(None, "The objects at / instead of a folder: s3://bucket/prefix, gs://… or az://…")
    object_connections: int = _row(64, "Most connections of a process to the object store.", metavar="N", reader=_count)
    redirect: int | None = _row(
        None,
        "Redirect clients to a signed URL of the bucket, valid for SECONDS (600 if you give no value).",
        default_help="send the objects",
        metavar="[SECONDS]",
        reader=partial(read_whole_number, least=60, most=604_800),
        bare_value="600",
    )
    hidden: bool = _row(False, "Serve names that begin with a dot.")
    follow_symlinks: bool = _row(False, "Follow symbolic links that lead out of the folder.")
    precompressed: bool = _row(True, "Send x.br, x.zst or x.gz instead of x to clients that accept this coding.")
    etag: EtagKind = _row(
        "exact",
        "What ETags of files are made from: times and size (one server only), date and size, or the SHA-256 digest.",
    )
    offload: str | None = _row(
        None,
        "Let the server in front send the files: nginx:/LOCATION/ (X-Accel-Redirect) or sendfile (X-Sendfile).",
        metavar="HOW",
        reader=read_offload,
    )
    attachment: bool = _row(False, "Make browsers save every file of the folder; with ?inline they show it.")
    cache_control: str | None = _row(
        "no-cache", "Cache-Control field of every file; 'none' sends no such field.", reader=read_cache_control
    )
    index: bool = _row(False, "Show index.html instead of the list of its folder.")
    archive_limit: int = _row(
        DEFAULT_LIMITS.size,
        "Most bytes of the files in an archive of a folder, such as 500M or 2T; K is 1024.",
        default_text="100G",
        metavar="BYTES",
        reader=read_bytes,
    )
    archive_entries: int = _row(
        DEFAULT_LIMITS.entries, "Most files and folders in an archive.", metavar="N", reader=_count
    )
    cors: str | None = _row(
        None,
        "Let web pages of this origin read all responses; without a value, or with *, pages of any origin.",
        metavar="[ORIGIN]",
        reader=read_origin,
        bare_value="*",
    )
    header: tuple[str, ...] = _row(
        (),
        "Add this field, such as 'Name: value', to each response; repeatable. In a variable, one per line.",
        metavar="FIELD",
        reader=read_field,
        separator="\n",
    )
    stall_timeout: float = _row(STALL_TIMEOUT, "Disconnect a client that reads nothing for this time.")
    auth: tuple[str, ...] = _row(
        (),
        "Ask for this user and password; repeatable. Other users of the machine can see options: better set "
        "ASYNC_DOWNLOADS_AUTH (one per line), or use --auth-file.",
        repr=False,
        metavar="USER:PASSWORD",
        reader=read_account,
        separator="\n",
    )
    auth_file: Path | None = _row(
        None,
        "Ask for a user and a password of this file. Its lines are user:hash, as hash-password prints them.",
        is_file=True,
    )
    auth_path: tuple[str, ...] = _row(
        (),
        "Ask for a password only for this path, such as /private, and everything below it; repeatable.",
        metavar="PATH",
        reader=read_protected_path,
        separator="\n",
    )
    secret: str | None = _row(
        None,
        "Secret text for signed links and the boundaries of multipart bodies; servers behind one address need the same."
        " If there are several, with commas between them, the first one signs, and links of all are valid.",
        repr=False,
        is_secret=True,
        metavar="TEXT",
        default_help="random",
    )
    download_file: Path | None = _row(None, "The file at /download.", is_file=True)
    download_images: Path | None = _row(None, "The folder at /download/ and /download2/.")
    client_images: Path | None = _row(None, "The folder at /get-image/.")
    client_csv: Path | None = _row(None, "The folder at /get-csv/.")
    client_pdf: Path | None = _row(None, "The folder at /get-pdf/.")
    client_reports: Path | None = _row(None, "The folder at /get-report/.")
    pdf_examples: bool = _row(False, "Serve PDF files made in memory, at /pdf/.")
    database: str | None = _row(
        None,
        "Serve the files of a database at /files/download/: sqlite:///path.db or postgresql://…",
        repr=False,
        is_secret=True,  # it may hold a password
        metavar="URL",
    )
    file_ids: Identifier = _row("token", "The kind of id in the URL of a file.")
    list_files: bool = _row(False, "List the files of the database at /files, as JSON.")

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders and files that are served: the values of all settings that are paths."""
        paths = (
            getattr(self, each.name)
            for each in table(type(self))
            if each.kind == Path | None and each.name != "auth_file"
        )
        return (*filter(None, paths), *self.paths)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables `ASYNC_DOWNLOADS_*`, for a server that imports the app by its name.

        Raises ValueError, with the variable's name, if a value cannot be read.
        """
        return cls(**{each.name: value for each in table(cls) for value in from_environment(each)})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of the process: where it listens, its limits, and how it ends. All times are in seconds."""

    bind: tuple[str, ...] = _row(
        ("127.0.0.1:8000",), "Listen on host:port, unix:path or fd://n; repeatable.", short="-b", metavar="ADDRESS"
    )
    unix_mode: int | None = _row(
        None,
        "Permissions of the file of a UNIX socket, for example 660.",
        default_help="from the umask",
        metavar="OCTAL",
        reader=read_mode,
    )
    workers: int = _row(
        1,
        "Number of processes that share the address.",
        short="-w",
        metavar="N",
        reader=partial(read_whole_number, least=1, most=256),
    )
    loop: Literal["asyncio", "uvloop"] = _row("asyncio", "Event loop.", default_help="uvloop if it is installed")
    certfile: Path | None = _row(None, "Certificate chain (PEM): serve HTTPS.", is_file=True)
    keyfile: Path | None = _row(None, "The certificate's private key (PEM).", is_file=True)
    http2: bool = _row(False, "Also use HTTP/2, for clients that ask for it over TLS.")
    header_timeout: float = _row(30.0, "Longest time in which a client must send the head of a request.")
    keep_alive: float = _row(75.0, "Close a connection after this time without a request.")
    max_connections: int | None = _row(
        None,
        "Most connections of each process. One more connection replaces the one that was idle longest.",
        default_help="half of the files that the process may open",
        metavar="N",
        reader=_count,
    )
    max_connections_per_client: int | None = _row(
        None,
        "Most connections of one address to each process; the next one gets status 429. Behind trusted proxies, the "
        "limit is for requests at the same time.",
        default_help="no limit",
        metavar="N",
        reader=_count,
    )
    limit_rate: int | None = _row(
        None, "Most bytes per second of each download: 500K, 2M; K is 1024.", reader=read_rate, **_RATE
    )
    limit_rate_client: int | None = _row(
        None, "Most bytes per second of all downloads of one address, in each process.", reader=read_rate, **_RATE
    )
    limit_rate_total: int | None = _row(
        None, "Most bytes per second of all downloads; the workers share them.", reader=read_rate, **_RATE
    )
    trusted_proxies: tuple[str, ...] = _row(
        (),
        "Accept client, scheme and host from the X-Forwarded and Forwarded fields of these proxies: networks, "
        "addresses, or unix (for a UNIX socket), with commas between them; repeatable.",
        metavar="CIDR,...",
        reader=read_proxies,
        separator=",",
    )
    proxy_protocol: bool = _row(False, "Expect a PROXY header (version 1 or 2) from the trusted proxies.")
    drain_delay: float = _row(
        0.0,
        "Accept connections for this time after SIGTERM, while /-/ready responds with 503.",
        reader=_seconds_or_zero,
    )
    drain_timeout: float = _row(
        30.0, "Longest time that downloads may continue after SIGTERM.", reader=_seconds_or_zero
    )
    metrics_bind: str | None = _row(
        None,
        "Serve metrics for Prometheus at http://ADDRESS:PORT/metrics. ADDRESS is 127.0.0.1 if you give only a port.",
        metavar="[ADDRESS:]PORT",
        default_help="no metrics",
        reader=read_bind,
    )
    access_log: Literal["none", "text", "json"] = _row("none", "Write a line for each request.")

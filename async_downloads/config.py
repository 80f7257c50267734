"""The settings of the site (`Settings`) and of the process that serves it (`ServerSettings`): one line for each.

Each line is a row of a table: name, type, default, help text, and how text is read. Everything else is made from it:
the flags of `serve`, the variables `ASYNC_DOWNLOADS_*`, the keys of the TOML file and `Settings.from_environment`.
A new setting is a new line here.
"""
# ruff: noqa: RUF009 - `_row` calls `field`

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar, get_args, get_origin

from .setting_texts import (
    read_bytes,
    read_cache_control,
    read_choice,
    read_field,
    read_mode,
    read_origin,
    read_seconds,
    read_whole_number,
    read_yes_or_no,
)
from .sources.archive.walk import DEFAULT_LIMITS
from .sources.database.catalogue import Identifier
from .timeouts import STALL_TIMEOUT

__all__ = [
    "DATABASE_VARIABLES",
    "PREFIX",
    "ServerSettings",
    "Setting",
    "Settings",
    "table",
]


T = TypeVar("T")
PREFIX: Final = "ASYNC_DOWNLOADS_"
# Where the commands that manage a database find its URL. Many platforms set the second variable, for any app: `serve`
# reads only the first one, because the database of another app may hold no files, or files that must not be served.
DATABASE_VARIABLES: Final = (f"{PREFIX}DATABASE", "DATABASE_URL")


_READERS: Final[dict[object, Callable[[str], object]]] = {
    Path | None: Path,
    bool: read_yes_or_no,
    float: read_seconds,
    str | None: str,
    tuple[str, ...]: str,  # each one of them
    tuple[Path, ...]: Path,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A row of the table.

    `default_help` describes a default that is only known at run time, and `default_text` is how a user would write the
    default. `is_file` tells a file from a folder. `reader` is for a type that is not read in the usual way.
    `variables` are environment variables; the first one that is not empty counts. `separator` stands between the
    values of a list in a variable; None is any white space. `bare_value` is the text of a flag without a value.
    """

    name: str
    kind: object
    default: Any
    help: str
    short: str = ""
    metavar: str | None = None
    default_help: str | None = None
    default_text: str | None = None
    is_file: bool = False
    reader: Callable[[str], object] | None = None
    variables: tuple[str, ...] = ()
    separator: str | None = None
    bare_value: str | None = None

    def __post_init__(self) -> None:
        if not self.variables:
            object.__setattr__(self, "variables", (PREFIX + self.name.upper(),))

    @property
    def is_list(self) -> bool:
        """Whether the setting may have several values."""
        return get_origin(self.kind) is tuple

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that may be given; () if it is not a choice."""
        return get_args(self.kind) if all(isinstance(each, str) for each in get_args(self.kind)) else ()

    def read(self, text: str) -> object:
        """Read the value from text of any origin. Raises ValueError, with a message for the user."""
        if self.choices:
            return read_choice(text, choices=self.choices)
        return (self.reader or _READERS[self.kind])(text)

    def read_variable(self, text: str) -> object:
        """Read the value from an environment variable, which may hold a list. Raises ValueError as `read` does."""
        if not self.is_list:
            return self.read(text)
        return tuple(map(self.read, self.split(text)))

    def split(self, text: str) -> tuple[str, ...]:
        """Return the texts of a list that an environment variable holds."""
        return tuple(each for each in text.split(self.separator) if each.strip())


def table(kind: "type[Settings | ServerSettings]") -> tuple[Setting, ...]:
    """Return the rows of a class of settings, in its order."""
    return tuple(
        Setting(name=each.name, kind=each.type, default=each.default, **each.metadata) for each in fields(kind)
    )


def _row(default: T, help: str, *, repr: bool = True, **details: Any) -> T:  # noqa: A002 - the names of field and click
    row: T = field(default=default, repr=repr, metadata={"help": help, **details})
    return row


_seconds_or_zero: Final = partial(read_seconds, zero=True)
_count: Final = partial(read_whole_number, least=1, most=1_000_000)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the site. Each route exists if its setting is given; `stall_timeout` is in seconds."""

    directory: Path | None = _row(None, "The folder at /.")
    paths: tuple[Path, ...] = _row(
        (),
        "Files and folders listed at / in the place of one folder. In a variable, one for each line.",
        separator="\n",
    )
    hidden: bool = _row(False, "Serve names that begin with a dot.")
    follow_symlinks: bool = _row(False, "Follow symbolic links that lead out of the folder.")
    precompressed: bool = _row(True, "Send x.br, x.zst or x.gz in the place of x.")
    attachment: bool = _row(False, "Make browsers save every file of the folder; ?inline shows it.")
    cache_control: str | None = _row(
        "no-cache", "Cache-Control of every file; 'none' sends no such field.", reader=read_cache_control
    )
    index: bool = _row(False, "Show index.html in the place of the list of its folder.")
    archive_limit: int = _row(
        DEFAULT_LIMITS.size,
        "Most bytes of the files in an archive of a folder, such as 500M or 2T.",
        default_text="100G",
        metavar="BYTES",
        reader=read_bytes,
    )
    archive_entries: int = _row(DEFAULT_LIMITS.entries, "Most entries of an archive.", metavar="N", reader=_count)
    cors: str | None = _row(
        None,
        "Let the pages of this origin read all responses; without a value, or with *, the pages of any origin.",
        metavar="[ORIGIN]",
        reader=read_origin,
        bare_value="*",
    )
    header: tuple[str, ...] = _row(
        (),
        "Add this field to each response, such as 'Name: value'; repeatable. In a variable, one for each line.",
        metavar="FIELD",
        reader=read_field,
        separator="\n",
    )
    stall_timeout: float = _row(STALL_TIMEOUT, "Disconnect a client that reads nothing for this long.")
    secret: str | None = _row(
        None,
        "Text from which the boundaries of multipart bodies are made; servers behind one address need the same.",
        repr=False,
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
        repr=False,  # it may hold a password
        metavar="URL",
    )
    file_ids: Identifier = _row("token", "The kind of id in the URL of a file.")
    list_files: bool = _row(False, "List the files of the database at /files, as JSON.")

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders and files that are served: the values of all settings that are paths."""
        paths = (getattr(self, row.name) for row in table(type(self)) if row.kind == Path | None)
        return (*filter(None, paths), *self.paths)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the variables `ASYNC_DOWNLOADS_*`, for a server that imports the app by its name.

        Raises ValueError, with the variable's name, if a value cannot be read.
        """
        return cls(**{row.name: value for row in table(cls) for value in _from_environment(row)})


def _from_environment(row: Setting) -> list[Any]:
    """Return the value of a row as a list of one; an empty list if no variable is set."""
    for name in row.variables:
        if text := os.environ.get(name):
            try:
                return [row.read_variable(text)]
            except ValueError as error:
                raise ValueError(f"{name}={text!r} cannot be read: {error}") from None
    return []


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the process listens, how long connections may wait, and how it ends; all times are in seconds."""

    bind: tuple[str, ...] = _row(("127.0.0.1:8000",), "host:port, unix:path or fd://n; repeatable.", short="-b")
    unix_mode: int | None = _row(
        None,
        "Mode of the file of a UNIX socket, for example 660.",
        default_help="as the umask says",
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
    http2: bool = _row(False, "Speak HTTP/2, too, with clients that ask for it over TLS.")
    header_timeout: float = _row(30.0, "How long a client may take to send the head of a request.")
    keep_alive: float = _row(75.0, "Close a connection that has no request for this long.")
    max_connections: int | None = _row(
        None,
        "Most connections of each process. A new one then replaces the one that was idle longest.",
        default_help="half of the files that the process may open",
        metavar="N",
        reader=_count,
    )
    max_connections_per_client: int | None = _row(
        None,
        "Most connections of one address to each process; more get a 429. Do not set it behind a proxy.",
        default_help="no limit",
        metavar="N",
        reader=_count,
    )
    drain_timeout: float = _row(30.0, "How long downloads may continue after SIGTERM.", reader=_seconds_or_zero)
    access_log: Literal["none", "text", "json"] = _row("none", "Write a line for each request.")

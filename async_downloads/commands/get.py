"""`async-downloads get`: its options, and how the command loads the client."""

import gc
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ..setting_texts import read_rate, read_seconds
from .get_checks import check_options
from .get_network import ConnectionCount, network_options
from .get_options import GetOptions
from .get_paths import GivenPath
from .get_texts import read_field, read_resume_offset, read_retries, replace_wget_stdout
from .help import SectionedCommand, Sections
from .messages import INTERRUPTED, print_error
from .options import NOT_EMPTY, WholeNumber, parse_each_with, parse_with

__all__ = ["get"]


F = TypeVar("F", bound=Callable[..., Any])
_MAX_COUNT: Final = 64  # of connections for one file, and of files at once: more would harm other users of a server
# httpx and httpcore import these modules if they are installed: a command, another event loop and HTTP/2. `get` uses
# none of them, and importing them takes half of the time to load.
_NOT_NEEDED: Final = ("httpx._main", "trio", "h2")
# Options of curl and wget for what `get` does anyway.
_DONE_ANYWAY: Final = (
    *("-L", "--location", "-f", "--fail", "-J", "--remote-header-name", "-S", "--show-error", "-#", "--progress-bar"),
    *("-np", "--no-parent", "-nH", "--no-host-directories", "-nv", "--no-verbose", "--content-disposition"),
)
_NOT_LETTERS: Final = frozenset({"-nc", "-nd"})  # options of wget, but `-n`, `-c` and `-d` are options of `get`
_PATH: Final = GivenPath()
_TARGET: Final = GivenPath(is_file=True)
_COUNT: Final = WholeNumber(1, _MAX_COUNT)
_CONNECTIONS: Final = ConnectionCount(1, _MAX_COUNT)
_SECONDS: Final = parse_with(read_seconds)
_RATES: Final = parse_with(read_rate)
_RETRIES: Final = parse_with(read_retries)
_FIELDS: Final = parse_each_with(read_field)
_OFFSET: Final = parse_with(read_resume_offset)
_COMMON: Final[Sections] = {
    "Options": """output directory input_file recursive checksum connections limit_rate header as_json quiet help_all
        help""",
    "Files and folders": "include exclude keep_directories jobs overwrite timestamping dated continues restart",
}
_MORE: Final[Sections] = {
    "Checks and sources": "checksums strict mirror metalink",
    "Failures and limits": "retries patience timeout response_timeout stall_timeout speed_floor",
    "Network": """user_agent use_netrc cookie_file proxy use_proxies verify ca_file cert_file key_file ipv4 ipv6
        interface insecure_redirects""",
}
_EPILOG: Final = (
    "As in curl and wget, -P is -d and -s is -q. -O, -J, -L, '-C -', -f, -S and --no-parent change nothing: they are "
    "the default. -O - is -o -."
    "\n\nExit codes: 1 other error, 2 usage, 3 file, 4 network, 5 TLS, 6 authentication, 7 protocol, 8 HTTP status, "
    "9 digest, 130 and 143 signals. With several URLs, the code is that of the first URL that failed."
)


class _GetCommand(SectionedCommand):
    """The command, which also reads the options of wget that click would read as several letters."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with `-o -` in the place of each `-O -`. Raises NoSuchOption for `-nc` and `-nd`."""
        for option in _NOT_LETTERS.intersection(args):
            raise click.NoSuchOption(option, ctx=ctx)
        return super().parse_args(ctx, replace_wget_stdout(args))


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, **{"show_default": True, **attributes})


def _habit(*names: str, **attributes: Any) -> Callable[[F], F]:
    """Declare an option of curl or wget that changes nothing here."""
    return click.option(*names, **{"hidden": True, "is_flag": True, **attributes})


@click.command(cls=_GetCommand, common=_COMMON, more=_MORE, epilog=_EPILOG)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@_option("--output", "-o", metavar="PATH", type=_TARGET, help="Save as PATH; - is standard output.")
@_option("--directory", "-d", "-P", metavar="DIR", type=_PATH, help="Save in DIR; the server names the files.")
@_option("--input-file", "-i", metavar="FILE", type=_PATH, help="Read URLs from FILE, one per line; - is stdin.")
@_option("--recursive", "-r", is_flag=True, help="Download a folder: all new and changed files.")
@_option("--checksum", metavar="ALGO:HEX", type=NOT_EMPTY, help="Expected digest: sha256:… or sha512:…")
@_option("--connections", "-x", metavar="N", type=_CONNECTIONS, default=4, help="Connections per file.")
@_option("--limit-rate", metavar="RATE", callback=_RATES, help="Most bytes per second: 500K, 2M; K is 1024.")
@_option(
    "--header", "-H", metavar="'NAME: VALUE'", multiple=True, callback=_FIELDS, help="Send this field; repeatable."
)
@_option("--json", "as_json", is_flag=True, help="Print JSON objects, one per line.")
@_option("--quiet", "-q", "-s", "--silent", is_flag=True, help="Print errors only.")
@_option("--include", metavar="PATTERN", multiple=True, help="With -r: only files like '*.iso'; repeatable.")
@_option("--exclude", metavar="PATTERN", multiple=True, help="With -r: skip files like '*.iso'; repeatable.")
@_option("--keep-directories", is_flag=True, help="Save as HOST/PATH of the URL, in DIR of -d.")
@_option("--jobs", metavar="N", type=_COUNT, default=4, help="Files at the same time.")
@_option("--overwrite", is_flag=True, help="Also replace files that the server named.")
@_option("--continue", "-c", "continues", is_flag=True, help="Continue also parts of other URLs and programs.")
@_option("--timestamping", "-N", is_flag=True, help="Skip files that have the server's size and time.")
@_option("--no-mtime", "dated", flag_value=False, default=True, show_default=False, help="Give files the current time.")
@_option("--no-resume", "restart", is_flag=True, help="Start again; ignore the parts of earlier runs.")
@_option("--checksums", metavar="FILE", type=NOT_EMPTY, help="Path or URL of a list of digests (SHA256SUMS).")
@_option("--strict", is_flag=True, help="Refuse an HTML page for a name like data.zip.")
@_option("--mirror", metavar="URL", type=NOT_EMPTY, multiple=True, help="Another URL of the file; repeatable.")
@_option("--metalink", metavar="FILE", type=NOT_EMPTY, help="Download the files of a Metalink (path or URL).")
@_option("--retries", metavar="N", default="5", callback=_RETRIES, help="Retries without new bytes, or inf.")
@_option("--patience", metavar="SECONDS", default="300", callback=_SECONDS, help="Longest Retry-After to wait for.")
@_option("--timeout", metavar="SECONDS", callback=_SECONDS, help="Longest time for one file, from start to end.")
@_option("--response-timeout", metavar="SECONDS", default="300", callback=_SECONDS, help="Longest wait for a response.")
@_option("--stall-timeout", metavar="SECONDS", default="30", callback=_SECONDS, help="Longest time without a byte.")
@_option("--speed-floor", metavar="RATE", default="1", callback=_RATES, help="Reconnect if slower (bytes/s).")
@_option("--user-agent", "-A", metavar="TEXT", help="Send TEXT as the User-Agent field.")
@network_options
@_option("--insecure-redirects", is_flag=True, help="Follow redirects from https to http.")
@_habit("-O", "--remote-name", "remote_name")
@_habit("-C", "--continue-at", "resume_offset", is_flag=False, callback=_OFFSET)
@_habit(*_DONE_ANYWAY, expose_value=False)
def get(**options: Any) -> int:
    """Download each URL. A file appears under its name only when it is complete.

    Run the same command again to continue an interrupted download. Messages go to standard error. If one file fails,
    the others are still downloaded.
    """
    try:
        return _load()(check_options(options))
    except KeyboardInterrupt:  # before the first request, so there is nothing to resume
        print_error("interrupted")
        return INTERRUPTED


def _load() -> Callable[[GetOptions], int]:
    """Import only the client: the import takes a third of a second, in which a download could get 300 MB."""
    # None makes the import of a module fail, as it does where the module is not installed.
    blocked = [name for name in _NOT_NEEDED if sys.modules.setdefault(name, None) is None]  # type: ignore[arg-type]
    gc.disable()  # imported modules are not garbage, and all of them stay
    try:
        from .get_files import run
    finally:
        for name in blocked:
            sys.modules.pop(name, None)  # other code of this process can import it again
        gc.freeze()
        gc.enable()
    return run

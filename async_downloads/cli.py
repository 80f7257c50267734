"""The command `async-downloads`. Each subcommand is imported when it runs."""

import errno
import gc
import os
import sys
from importlib import import_module
from typing import Final, NoReturn

import click

from .commands.habits import message_of
from .commands.messages import print_error

__all__ = ["cli", "main"]


_MODULES: Final = {  # in the order of the help: what most users need comes first
    "serve": "serve",
    "get": "get",
    "run": "run",
    "demo": "demo",
    "sign": "sign",
    "hash-password": "hash_password",
    "put": "put",
    "ls": "ls_rm",
    "rm": "ls_rm",
    "db": "db",
    "completion": "completion",
}
# The errors of a write to a full disk, and to a pipe whose reader has closed it.
_CANNOT_WRITE: Final = frozenset((errno.ENOSPC, errno.EPIPE))


def main() -> NoReturn:
    """Run the command and exit.

    For a mistake of the user, it prints one line on standard error, and the exit code is 2. If standard output cannot
    be written, it also prints one line, and the exit code is 1.
    """
    try:
        code = cli.main(prog_name="async-downloads", standalone_mode=False)
    except click.Abort:
        code = 130
    except click.ClickException as error:
        print_error(f"{message_of(error)}{_hint(error)}")
        code = error.exit_code
    except OSError as error:
        if error.errno not in _CANNOT_WRITE or error.filename is not None:
            raise
        print_error(f"cannot write to standard output: {error.strerror}")
        _discard_output()
        code = 1
    sys.exit(code or 0)


def _discard_output() -> None:
    """Discard the rest of the output: otherwise Python would try to write it again when the process ends."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" (see '{context.command_path} --help')" if context else ""


class _Commands(click.Group):
    """Imports a subcommand only when it is run, because some imports take longer than a download."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f".commands.{module}", __package__), cmd_name.replace("-", "_"))
        gc.enable()  # the program starts without the collector, because loaded modules are no garbage
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments begin with. Raises UsageError, with a hint for a URL or a path."""
        if args[0] not in _MODULES and not args[0].startswith("-"):
            if "://" in args[0]:
                raise click.UsageError("the command is missing: write async-downloads get URL", ctx)
            if os.path.exists(args[0]):
                raise click.UsageError(f"the command is missing: write async-downloads serve {args[0]}", ctx)
        return super().resolve_command(ctx, args)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        import platform
        from importlib.metadata import version

        system = f"Python {platform.python_version()}, {platform.platform()}"
        click.echo(f"async-downloads {version('async-downloads')} ({system})")
        context.exit()


@click.group(
    cls=_Commands,
    commands=dict.fromkeys(_MODULES),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the versions of this program, Python and the system.",
)
@click.pass_context
def cli(context: click.Context) -> None:
    """Serve files to thousands of clients at the same time, and download files.

    The server and the client follow RFC 9110 for range requests and conditional requests.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)

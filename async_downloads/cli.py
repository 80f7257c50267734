"""The command `async-downloads`. Each subcommand is imported when it runs."""

import gc
import sys
from importlib import import_module
from typing import Final, NoReturn

import click

__all__ = ["cli", "main"]


_MODULES: Final = {
    "db": "db",
    "demo": "demo",
    "get": "get",
    "hash-password": "hash_password",
    "ls": "ls_rm",
    "put": "put",
    "rm": "ls_rm",
    "run": "run",
    "serve": "serve",
    "sign": "sign",
}


def main() -> NoReturn:
    """Run the command and exit. A mistake of the user is one line on standard error and exit code 2."""
    try:
        code = cli.main(prog_name="async-downloads", standalone_mode=False)
    except click.Abort:
        code = 130
    except click.ClickException as error:
        click.echo(f"async-downloads: {error.format_message()}{_hint(error)}", err=True)
        code = error.exit_code
    sys.exit(code or 0)


def _hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f" (see '{context.command_path} --help')" if context else ""


class _Commands(click.Group):
    """Imports a subcommand when it is run: some imports take longer than a download."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f".commands.{module}", __package__), cmd_name.replace("-", "_"))
        gc.enable()  # the program starts without the collector: loaded modules are no garbage
        return command


@click.group(
    cls=_Commands,
    commands=dict.fromkeys(_MODULES),
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(package_name="async-downloads")
@click.pass_context
def cli(context: click.Context) -> None:
    """Serve files to thousands of clients at once, and download files.

    Range requests and conditional requests follow RFC 9110.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)

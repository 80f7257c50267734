"""`async-downloads completion`: a script that completes commands, options and file names in a shell."""

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

__all__ = ["completion"]


_SCRIPTS: Final[dict[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_VARIABLE: Final = "_ASYNC_DOWNLOADS_COMPLETE"  # the scripts set it when they ask for completions; click reads it


@click.command(short_help="Print a script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(tuple(_SCRIPTS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands, options and file names.

    To install it, add one of these lines to the file that is named before the line. Then open a new shell.

    \b
    ~/.bashrc: eval "$(async-downloads completion bash)"
    ~/.zshrc, after compinit: eval "$(async-downloads completion zsh)"
    ~/.config/fish/config.fish: async-downloads completion fish | source
    """
    program = context.find_root()
    click.echo(_SCRIPTS[shell](program.command, {}, program.info_name or "", _VARIABLE).source())

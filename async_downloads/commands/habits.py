"""The messages of mistakes. For an option of another program, the message says which option of this program to use."""

import os
import re
from typing import Final

import click
from click.core import ParameterSource

__all__ = ["CONFIG", "INSTEAD", "message_of"]


CONFIG: Final = f"{__name__}.config"  # the key in `Context.meta` of the path of the TOML file
_END: Final = re.compile(r"(?<=[\w'\")])\.\Z")  # of a sentence of click; a path may also end with a dot
_WHITE_SPACE: Final = re.compile(r"\s*[\n\t]\s*")  # click shows the choices of an argument in lines
_TLS: Final = {
    "--ssl-certfile --cert --tls-cert": "use --certfile FILE to name the certificate",
    "--ssl-keyfile --key --tls-key": "use --keyfile FILE to name the key",
}
_ADDRESS: Final = {
    "--host --address --listen -a": "use -b HOST:PORT to set the address, or --lan to listen on all addresses"
}
_VERSION: Final = {"--version -V": "use async-downloads --version"}
# By command: the options of curl, wget and aria2, of http.server and others, and of uvicorn and others.
INSTEAD: Final = {
    "get": {
        "--output-document --out": "use -o PATH to save under a name",
        "--output-dir --directory-prefix --dir": "use -d DIR to save in a folder",
        "--create-dirs": "create the folder first, with mkdir -p",
        "-m --level -l --page-requisites -p": "use -r to download a folder and everything below it",
        "--accept": "use --include PATTERN to choose files",
        "--reject -R": "use --exclude PATTERN to skip files",
        "--no-clobber -nc": "leave it out: get replaces a file of the same name only with --overwrite",
        "--no-directories -nd --cut-dirs": "use -d DIR to say where to save",
        "--split -j --max-concurrent-downloads --parallel -Z": (
            "use -x N for the connections per file, --jobs N for the files at the same time"
        ),
        "--max-connection-per-server": "use -x N for the connections per file",
        "--retry --tries -t --max-tries": "use --retries N to say how often to try again",
        "--max-time --connect-timeout -T": (
            "use --timeout SECONDS to limit a download, --stall-timeout SECONDS to limit the time without a byte"
        ),
        "--verbose -v": "use --json to print more",
        "--user -u --password --http-user --http-password": (
            "write the password in ~/.netrc, or in the URL: https://USER:PASSWORD@HOST/"
        ),
        "--cookie -b --load-cookies": "use --cookies FILE to send cookies",
        "--referer -e": "use -H 'Referer: URL'",
        "--no-check-certificate": "use -k to accept every certificate",
        "--ca-certificate": "use --cacert FILE to trust certificates",
        "--time-cond -z": "use -N to skip files that have the server's size and time",
        "--max-filesize": "the size cannot be limited: use --timeout SECONDS to limit the time",
        "--head -I --spider --include-headers -D --dump-header": "get only saves files: use curl -I to see the fields",
        "--request -X --data --form -F --upload-file": "get only downloads: use curl to send data",
        "--compressed": "leave it out: get saves the file without compression",
        "--background": "leave it out, and end the command with &",
        "--range": "get saves whole files: use curl -r to get a part",
        "--url": "leave it out: get URL",
        **_VERSION,
    },
    "serve": {
        "--directory -d --root --webroot": "give only the folder: serve DIR",
        "--upload --upload-files -u --allow-upload": "serve only sends files and receives none",
        "--verbose -v --log-level": "use --access-log text to print a line for each request",
        "--quiet -q": "leave it out: serve prints no line for a request",
        "--user --username --password": "use --auth USER:PASSWORD to ask for a password",
        "--threads": "leave it out, or set the number of processes with -w N",
        **_ADDRESS,
        **_TLS,
        **_VERSION,
    },
    "run": {
        "--reload": "start the command again after a change",
        "--factory": "write MODULE:create_app() to call the function; quote it for the shell",
        "--app -A": "give only the app: run MODULE:APP",
        "--debug": "set app.debug = True in a Quart app to see tracebacks in the browser",
        "--verbose -v --log-level": "use --access-log text to print a line for each request",
        **_ADDRESS,
        **_TLS,
        **_VERSION,
    },
}


def message_of(error: click.ClickException) -> str:
    """Return the message of an error, in one line and without a full stop at its end.

    For an option of another program, it says what to use here.
    """
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        if isinstance(error.ctx.command, click.Group):
            commands = _commands_with(error.option_name, error.ctx.command, error.ctx)
            names = " or ".join(commands[:2])
            return f"{error.option_name} must follow a command, such as {names}" if names else error.format_message()
        for options, instead in INSTEAD.get(error.ctx.command.name or "", {}).items():
            if error.option_name in options.split():
                return f"there is no option {error.option_name}: {instead}"
    return _END.sub("", _WHITE_SPACE.sub(" ", _text_of(error)))


def _text_of(error: click.ClickException) -> str:
    """Return the message; for a wrong value, it also names the variable or the TOML file that holds the value."""
    parameter, context = (error.param, error.ctx) if isinstance(error, click.BadParameter) else (None, None)
    if isinstance(error, click.MissingParameter) and isinstance(parameter, click.Argument):
        return _missing(parameter, error)
    if parameter is None or context is None or isinstance(error, click.MissingParameter):
        return error.format_message()
    flags = [] if isinstance(parameter, click.Argument) else [f"'{flag}'" for flag in parameter.opts]
    option = f" for {' / '.join(flags)}" if flags else ""
    place = _place_of(parameter, context)
    return f"Invalid value{option}{place}: {error.message}" if option or place else error.message


def _missing(argument: click.Argument, error: click.MissingParameter) -> str:
    """Return the message for an argument that is missing. click would name it as the help does: `[FILE]...`."""
    name = (argument.metavar or argument.human_readable_name).strip("[].")
    return error.format_message() if isinstance(argument.type, click.Choice) else f"no {name} is given"


def _place_of(parameter: click.Parameter, context: click.Context) -> str:
    source = context.get_parameter_source(parameter.name or "")
    if source is ParameterSource.ENVIRONMENT:
        names = [parameter.envvar] if isinstance(parameter.envvar, str) else parameter.envvar or ()
        return f" in the variable {next(filter(os.environ.get, names), '')}"
    return f" in {context.meta[CONFIG]}" if source is ParameterSource.DEFAULT_MAP else ""


def _commands_with(option: str, group: click.Group, context: click.Context) -> list[str]:
    """Return the names of the commands that have an option, the common commands first."""
    names = sorted(group.list_commands(context), key=lambda name: name not in INSTEAD)
    return [name for name in names if option in _options_of(group.get_command(context, name))]


def _options_of(command: click.Command | None) -> set[str]:
    return {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} if command else set()

"""Options of other programs that users try here: the message names the option of this program instead."""

from typing import Final

import click

__all__ = ["INSTEAD", "message_of"]


_TLS: Final = {
    "--ssl-certfile --cert --tls-cert": "--certfile FILE names the certificate",
    "--ssl-keyfile --key --tls-key": "--keyfile FILE names the key",
}
_ADDRESS: Final = {"--host --address --listen -a": "-b HOST:PORT sets the address, and --lan listens on all"}
# By command: the options of curl, wget and aria2, of http.server and others, and of uvicorn and others.
INSTEAD: Final = {
    "get": {
        "--output-document --out": "-o PATH saves under that name",
        "--output-dir --directory-prefix --dir": "-d DIR saves in a folder",
        "--create-dirs": "make the folder first, with mkdir -p",
        "-m --level -l --page-requisites -p": "-r copies a folder and everything below it",
        "--accept": "--include PATTERN chooses files",
        "--reject -R": "--exclude PATTERN leaves files out",
        "--no-clobber": "leave it out: get replaces a file of the same name only with --overwrite",
        "--no-directories --cut-dirs": "-d DIR says where to save",
        "--split -j --max-concurrent-downloads --parallel -Z": "-x N sets connections per file, --jobs N files at once",
        "--max-connection-per-server": "-x N sets the connections per file",
        "--retry --tries -t --max-tries": "--retries N sets how often it tries again",
        "--max-time --connect-timeout -T": "--timeout SECONDS limits a download, --stall-timeout a silence",
        "--verbose -v": "--json prints more",
        "--user -u --password --http-user --http-password": "~/.netrc holds passwords, or https://USER:PASSWORD@HOST/",
        "--cookie -b --load-cookies": "--cookies FILE sends cookies",
        "--referer -e": "-H 'Referer: URL' sends it",
        "--no-check-certificate": "-k accepts every certificate",
        "--ca-certificate": "--cacert FILE trusts certificates",
        "--time-cond -z": "-N skips a file with the server's size and time",
        "--max-filesize": "there is no such limit: --timeout SECONDS limits the time",
        "--head -I --spider --include-headers -D --dump-header": "get only saves files: curl -I shows the fields",
        "--request -X --data --form -F --upload-file": "get only downloads: use curl to send something",
        "--compressed": "leave it out: get saves the file itself",
        "--background": "leave it out, and end the command with &",
        "--range": "get saves whole files: curl -r gets a part",
    },
    "serve": {
        "--directory -d --root --webroot": "name the folder alone: serve DIR",
        "--upload --upload-files -u --allow-upload": "serve only sends files, it does not receive any",
        "--verbose -v --log-level": "--access-log text prints a line for each request",
        "--quiet -q": "leave it out: it prints no line for a request",
        "--user --username --password": "--auth USER:PASSWORD asks for a password",
        "--threads": "leave it out, or set processes with -w N",
        **_ADDRESS,
        **_TLS,
    },
    "run": {
        "--reload": "start it again after a change",
        "--factory": "MODULE:create_app() calls the function; quote it for the shell",
        "--app -A": "name the app alone: run MODULE:APP",
        "--debug": "app.debug = True in a Quart app shows tracebacks in the browser",
        "--verbose -v --log-level": "--access-log text prints a line for each request",
        **_ADDRESS,
        **_TLS,
    },
}


def message_of(error: click.ClickException) -> str:
    """Return the message of an error. If the option is one of another program, the message says what to use here."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        if isinstance(error.ctx.command, click.Group):
            commands = _commands_with(error.option_name, error.ctx.command, error.ctx)
            names = " or ".join(commands[:2])
            return f"{error.option_name} follows a command, such as {names}" if names else error.format_message()
        for options, instead in INSTEAD.get(error.ctx.command.name or "", {}).items():
            if error.option_name in options.split():
                return f"there is no {error.option_name}: {instead}"
    return error.format_message()


def _commands_with(option: str, group: click.Group, context: click.Context) -> list[str]:
    """Return the names of the commands that have an option, the common commands first."""
    names = sorted(group.list_commands(context), key=lambda name: name not in INSTEAD)
    return [name for name in names if option in _options_of(group.get_command(context, name))]


def _options_of(command: click.Command | None) -> set[str]:
    return {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} if command else set()

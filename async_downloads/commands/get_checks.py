"""The options of `get`, checked against each other and against the disk before anything is requested."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from .get_lists import read_items
from .get_network import pop_network
from .get_options import STDOUT, GetOptions, UrlItem
from .get_texts import read_host_path
from .messages import CannotRun
from .redaction import HARMLESS, is_url

__all__ = ["check_options"]


_ONE_URL: Final = {"output": "-o", "checksum": "--checksum", "mirror": "--mirror"}
_FILES_ONLY: Final = {**_ONE_URL, "metalink": "--metalink", "overwrite": "--overwrite"}
_FOLDERS_ONLY: Final = {"include": "--include", "exclude": "--exclude"}
_HABITS: Final = ("remote_name", "resume_offset")  # what `get` does anyway
_USER_AGENT: Final = "User-Agent"  # the field that `-A` sets; every host may see it


class _CannotSave(click.ClickException):
    """No file can be saved there, so no request is sent."""

    exit_code = 3


def check_options(options: dict[str, Any]) -> GetOptions:
    """Check the options against each other. Raises UsageError, CannotRun or `_CannotSave`."""
    _refuse_paths(options)
    for name in _HABITS:
        options.pop(name)
    _add_user_agent(options)
    network = pop_network(options)
    items = _items(options)
    _refuse_contradictions(options, items)
    _refuse_mirrors(options["mirror"])
    _check_place(options["output"], options["directory"], made=options["recursive"] or options["keep_directories"])
    for name in ("urls", "input_file", *_ONE_URL):
        options.pop(name)
    return GetOptions(items=items, network=network, resume=not options.pop("restart"), **options)


def _items(options: Mapping[str, Any]) -> tuple[UrlItem, ...]:
    """Return each file once, because two downloads cannot share a part file."""
    directory = options["directory"] or Path()
    given = [
        UrlItem(
            index=0,
            url=read_host_path(url),
            path=options["output"],
            directory=directory,
            checksum=options["checksum"],
            alternates=tuple(map(read_host_path, options["mirror"])),
        )
        for url in options["urls"]
    ]
    listed = read_items(options["input_file"], directory) if options["input_file"] else ()
    unique: dict[object, UrlItem] = {}
    for each in (*given, *listed):
        unique.setdefault((each.url, each.path, each.directory), each)
    return tuple(replace(each, index=index) for index, each in enumerate(unique.values()))


def _refuse_contradictions(options: Mapping[str, Any], items: tuple[UrlItem, ...]) -> None:
    if not items and not options["metalink"]:
        if options["mirror"]:
            raise click.UsageError("no URL is given: --mirror only adds another URL of the same file; -r gets a folder")
        if options["input_file"]:
            raise click.UsageError("the input file has no URL")
        took_url = str(options["output"]).startswith(("http:/", "https:/"))
        raise click.UsageError("no URL is given" + (": the name of the file must follow -o" if took_url else ""))
    for name, flag in _ONE_URL.items():
        if options[name] and len(items) != 1:
            raise click.UsageError(f"{flag} needs exactly one URL")
    for name, flag in (_FILES_ONLY if options["recursive"] else _FOLDERS_ONLY).items():
        if options[name]:
            raise click.UsageError(f"{flag} {'cannot be used with' if options['recursive'] else 'needs'} -r")
    _refuse_pairs(options)


def _refuse_mirrors(urls: tuple[str, ...]) -> None:
    if not all(is_url(read_host_path(url)) for url in urls):
        raise click.UsageError("--mirror needs a URL, which begins with http:// or https:// and has a host")


def _refuse_pairs(options: Mapping[str, Any]) -> None:
    """Raise UsageError if two options contradict each other."""
    if options["output"] is not None and (options["directory"] is not None or options["keep_directories"]):
        flag = "-d" if options["directory"] is not None else "--keep-directories"
        raise click.UsageError(f"-o and {flag} both say where to save: give only one of them")
    if options["checksum"] and options["checksums"]:
        raise click.UsageError("--checksum and --checksums both give the digest: give only one of them")
    if options["metalink"] and any(name != _USER_AGENT for name, _ in options["header"]):
        raise click.UsageError("leave out -H: it would send the field to every host that the Metalink file names")
    if options["output"] == STDOUT:
        _check_stdout(options)


def _check_stdout(options: Mapping[str, Any]) -> None:
    if options["mirror"]:
        raise click.UsageError("--mirror cannot be used with -o -, which is standard output: save to a file")
    if sys.__stdout__ is None:
        raise CannotRun("standard output is closed")


def _refuse_paths(options: Mapping[str, Any]) -> None:
    """Raise UsageError for `URL PATH`, and for wget's `-O NAME`: here, as in curl, `-O` takes no name."""
    paths = [each for each in options["urls"] if "://" not in each and read_host_path(each) == each]
    if not paths or len(options["urls"]) == len(paths):
        return
    if options["remote_name"]:
        raise click.UsageError("-O takes no name: use -o NAME to save under this name")
    if all(map(HARMLESS.fullmatch, paths)):
        path = paths[-1]
        instead = f"-d {path} to save in this folder" if os.path.isdir(path) else f"-o {path} to save under this name"
        raise click.UsageError(f"{path} is not a URL: use {instead}")


def _add_user_agent(options: dict[str, Any]) -> None:
    """Make `-A TEXT` a header field, as in curl. wget's `-A PATTERN` comes with `-r`."""
    agent = options.pop("user_agent")
    if agent is None:
        return
    if options["recursive"]:
        raise click.UsageError("-A sets the User-Agent field: use --include PATTERN to choose files")
    if not agent.isascii() or not agent.isprintable():
        raise click.UsageError("-A needs printable ASCII")
    options["header"] = (*options["header"], (_USER_AGENT, agent))


def _check_place(output: Path | None, directory: Path | None, *, made: bool) -> None:
    """Raise `_CannotSave`, before any request, if no file can be saved there. With `made`, `get` makes the folder."""
    if output is not None:
        _check_output(output)
    if directory is not None and (directory.exists() or not made):
        _check_directory(directory)


def _check_output(path: Path) -> None:
    """Raise `_CannotSave` if no file can have that name."""
    if path == STDOUT:
        return
    if os.path.isdir(path):
        raise _CannotSave(f"{path} is a folder: use -d {shlex.quote(str(path))} to save in it")
    _check_directory(path.parent)


def _check_directory(path: Path) -> None:
    """Raise `_CannotSave` if no file can be in that folder."""
    try:
        os.stat(f"{path}/")
    except FileNotFoundError:
        raise _CannotSave(f"there is no folder {path}: create it with mkdir -p {shlex.quote(str(path))}") from None
    except OSError as error:
        raise _CannotSave(f"{path}: {error.strerror}") from None

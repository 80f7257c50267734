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
from .redaction import HARMLESS

__all__ = ["check_options"]


_ONE_URL: Final = {"output": "-o", "checksum": "--checksum", "mirror": "--mirror"}
_FILES_ONLY: Final = {**_ONE_URL, "metalink": "--metalink", "overwrite": "--overwrite"}
_FOLDERS_ONLY: Final = {"include": "--include", "exclude": "--exclude"}
_HABITS: Final = ("remote_name", "resume_offset")  # what `get` does anyway


_USER_AGENT: Final = "User-Agent"  # of `-A`; every host may see it


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
            raise click.UsageError("no URL is given: --mirror names another source of it; -r copies a folder")
        raise click.UsageError("the input has no URL" if options["input_file"] else "no URL is given")
    for name, flag in _ONE_URL.items():
        if options[name] and len(items) != 1:
            raise click.UsageError(f"{flag} is for one URL")
    for name, flag in (_FILES_ONLY if options["recursive"] else _FOLDERS_ONLY).items():
        if options[name]:
            raise click.UsageError(f"{flag} is {'not for folders (-r)' if options['recursive'] else 'for -r only'}")
    _refuse_pairs(options)


def _refuse_pairs(options: Mapping[str, Any]) -> None:
    """Refuse two options that cannot both be followed."""
    if options["output"] is not None and (options["directory"] is not None or options["keep_directories"]):
        flag = "-d" if options["directory"] is not None else "--keep-directories"
        raise click.UsageError(f"-o and {flag} both say where to save")
    if options["checksum"] and options["checksums"]:
        raise click.UsageError("--checksum and --checksums both say what to expect")
    if options["metalink"] and any(name != _USER_AGENT for name, _ in options["header"]):
        raise click.UsageError("-H would send the field to every host that the Metalink file names")
    if options["output"] == STDOUT:
        _check_stdout(options)


def _check_stdout(options: Mapping[str, Any]) -> None:
    if options["mirror"]:
        raise click.UsageError("--mirror needs a file to save: -o - is standard output")
    if sys.__stdout__ is None:
        raise CannotRun("standard output is closed")


def _refuse_paths(options: Mapping[str, Any]) -> None:
    """Refuse `URL PATH`, and `-O NAME` as wget has it: here, as in curl, `-O` takes no name."""
    paths = [each for each in options["urls"] if "://" not in each and read_host_path(each) == each]
    if not paths or len(options["urls"]) == len(paths):
        return
    if options["remote_name"]:
        raise click.UsageError("-O takes no name: -o NAME saves under that name")
    if all(map(HARMLESS.fullmatch, paths)):
        instead = "-d DIR saves in it" if os.path.isdir(paths[-1]) else "-o PATH saves under that name"
        raise click.UsageError(f"{paths[-1]} is not a URL: {instead}")


def _add_user_agent(options: dict[str, Any]) -> None:
    """Make `-A TEXT` a header field, as in curl. wget's `-A PATTERN` comes with `-r`."""
    agent = options.pop("user_agent")
    if agent is None:
        return
    if options["recursive"]:
        raise click.UsageError("-A names the client: --include PATTERN chooses files")
    if not agent.isascii() or not agent.isprintable():
        raise click.UsageError("-A expects printable ASCII")
    options["header"] = (*options["header"], (_USER_AGENT, agent))


def _check_place(output: Path | None, directory: Path | None, *, made: bool) -> None:
    """Raise `_CannotSave`, before any request, if no file can be saved there. With `made`, it may be missing."""
    if output is not None:
        _check_output(output)
    if directory is not None and (directory.exists() or not made):
        _check_directory(directory)


def _check_output(path: Path) -> None:
    """Raise `_CannotSave` if no file can have that name."""
    if path == STDOUT:
        return
    if os.path.isdir(path):
        raise _CannotSave(f"{path}: Is a directory: -d {shlex.quote(str(path))} saves in it")
    _check_directory(path.parent)


def _check_directory(path: Path) -> None:
    """Raise `_CannotSave` if no file can be in that folder."""
    try:
        os.stat(f"{path}/")
    except FileNotFoundError:
        raise _CannotSave(f"{path}: no such folder (mkdir -p {shlex.quote(str(path))} makes it)") from None
    except OSError as error:
        raise _CannotSave(f"{path}: {error.strerror}") from None

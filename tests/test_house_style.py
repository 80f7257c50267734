"""The rules of the code's style: short files and functions, one meaning for each name, no former names."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from source_tree import FILES, module_of, modules

FILE_LINES: Final = 260
FUNCTION_LINES: Final = 40
# Classes that may have the same name in two packages, each with the reason.
HOMONYMS: Final[dict[str, str]] = {"DownloadResponse": "it is a response of the framework: Quart's or Starlette's"}
# Names that were replaced by the terms of the field. A class or function with such a name needs a better one.
FORMER_CLASSES: Final = {
    "Answer", "Asked", "BadAnswer", "Changed", "Crew", "Damage", "DeadlineOver", "Ended", "Ending", "Familiar",
    "FileBody", "FilePart", "Floor", "Gate", "Interruption", "Keeper", "Lane", "LateTask", "Loans", "Order",
    "Pace", "Part", "Patience", "Place", "Proof", "Refused", "Room", "Setback", "Shelf", "Stored", "Stretch",
    "Target", "Threads", "Tide", "Turns", "Unfit", "UntilLeft", "Wanted", "Whole",
}  # fmt: skip
FORMER_FUNCTIONS: Final = {
    "absent", "answer", "complain", "dare", "disk_errors", "each", "exactly", "flow", "followed",
    "judge", "keep_memory", "lend", "moved", "os_errors", "promise", "proven", "raised_as", "raised_by_httpx",
    "read_at_once", "reply", "showing", "steadily", "telling", "to_the_end", "told",
}  # fmt: skip
FORMER_CONSTANTS: Final = {"PLEASE", "STRETCH"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_file_and_its_functions_are_short(file: Path) -> None:
    text = file.read_text("utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, Function))
    lines = {node.name: _last_line(node) - node.lineno + 1 - _docstring_lines(node) for node in functions}
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}


def _docstring_lines(function: Function) -> int:
    """Return how many lines the docstring takes; a good one must not make a function too long."""
    first = function.body[0]
    return _last_line(first) - first.lineno + 1 if ast.get_docstring(function) else 0


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def test_two_packages_have_no_class_of_the_same_name() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for module, tree in modules().items():
        for name in _classes(tree):
            homes[name].add(module.rpartition(".")[0])
    assert {name: homes for name, homes in homes.items() if len(homes) > 1 and name not in HOMONYMS} == {}


def _classes(tree: ast.AST) -> Iterator[str]:
    return (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_nothing_has_a_former_name(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    functions = {node.name.strip("_") for node in ast.walk(tree) if isinstance(node, Function)}
    constants = {node.id.strip("_") for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {name.strip("_") for name in _classes(tree)} & FORMER_CLASSES == set()
    assert functions & FORMER_FUNCTIONS == set()
    assert constants & FORMER_CONSTANTS == set()

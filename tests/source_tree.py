"""The package's source for the tests of its structure: modules, their syntax trees and their imports."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import async_downloads

__all__ = ["FILES", "PACKAGE", "ROOT", "imported", "module_of", "modules", "strongly_connected", "top_level_imports"]

PACKAGE: Final = "async_downloads"
ROOT: Final = Path(async_downloads.__file__).parent
FILES: Final = sorted(ROOT.rglob("*.py"))


def module_of(file: Path) -> str:
    """Return a module's dotted name inside the package; that of a package ends with `__init__`."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module, by its name inside the package."""
    return {module_of(file): ast.parse(file.read_text("utf-8")) for file in FILES}


def imported(tree: ast.AST, module: str) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in the file."""
    for node in ast.walk(tree):
        yield from _names(node, module)


def _names(node: ast.AST, module: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        around = [PACKAGE, *module.split(".")][: -node.level] if node.level else []
        yield from (".".join([*around, *filter(None, [node.module]), alias.name]) for alias in node.names)


def top_level_imports(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Return which modules of the package each one imports while it is loaded."""
    return {module: set(_loaded(tree.body, module, trees)) - {module} for module, tree in trees.items()}


def _loaded(body: list[ast.stmt], module: str, known: Mapping[str, ast.Module]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _loaded(node.orelse, module, known)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _loaded(
                [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt)], module, known
            )
        for name in _names(node, module):
            if name.partition(".")[0] == PACKAGE:
                yield from _nearest(name.partition(".")[2], known)


def _nearest(name: str, known: Mapping[str, ast.Module]) -> Iterator[str]:
    """Yield the module that a name is in, or is: `sources.base.Source` is in `sources.base`."""
    while name not in known and f"{name}.__init__" not in known and name:
        name = name.rpartition(".")[0]
    yield name if name in known else f"{name}.__init__" if name else "__init__"


def strongly_connected(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the circles of a graph: sets of two or more nodes, each of which reaches all others."""
    reached = {node: _reached(graph, node) for node in graph}
    circles = {frozenset(other for other in reached[node] if node in reached[other]) for node in graph}
    return [set(circle) for circle in circles if circle]


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found

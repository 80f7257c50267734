"""Everything in backticks in ARCHITECTURE.md exists, so that the page must change together with the code."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest
from source_tree import ROOT, modules

REPOSITORY: Final = Path(__file__).parents[1]
TEXT: Final = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
QUOTED: Final = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
PATHS: Final = sorted({each for each in QUOTED if "/" in each or each.endswith(".py")})
# The names of programs and of files that the client makes: they are not in the code as such.
OTHERS: Final = {"get", "serve", "NAME.part", "NAME.part.json", "NAME.part.new"}
NAMES: Final = sorted({*QUOTED} - {*PATHS} - OTHERS)


@pytest.fixture(scope="module")
def defined() -> set[str]:
    """Return the name of each class, function, attribute and constant of the package."""
    found = set()
    for node in (node for tree in modules().values() for node in ast.walk(tree)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    assert (ROOT / path).exists() or (REPOSITORY / path).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_defined(name: str, defined: set[str]) -> None:
    assert set(name.split(".")) <= defined


def test_each_package_and_each_module_of_the_ground_floor_is_named() -> None:
    packages = {f"{file.parent.relative_to(ROOT).as_posix()}/" for file in ROOT.glob("*/__init__.py")}
    modules = {file.name for file in ROOT.glob("*.py")}
    assert packages | modules <= set(QUOTED)


def test_it_is_read_in_ten_minutes() -> None:
    assert len(TEXT.splitlines()) <= 150
    assert len((REPOSITORY / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 50

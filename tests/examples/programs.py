"""The programs of examples/, as a user runs them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["EXAMPLES", "run_program"]

EXAMPLES: Final = Path(__file__).parents[2] / "examples"


def run_program(name: str) -> ModuleType:
    """Run a program as a module, without what it does as a command; return the module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Quart asks it where its folder is
    spec.loader.exec_module(module)
    return module

"""A rule of the contract is a coroutine function: its docstring is the rule, and it raises if the rule is broken."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec

__all__ = ["ContractError", "check", "require"]

_P = ParamSpec("_P")


class ContractError(AssertionError):
    """A rule of the contract is broken: `rule` is its sentence, `fact` what was observed."""

    def __init__(self, rule: str, fact: str) -> None:
        super().__init__(f"{rule} Broken: {fact}")
        self.rule = rule
        self.fact = fact


def require(kept: bool, fact: str) -> None:
    """Raise AssertionError with the fact unless the rule is kept."""
    if not kept:
        raise AssertionError(fact)


async def check(rule: Callable[_P, Awaitable[None]], *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Run a rule. Raises ContractError with the sentence of the rule if it raises any error."""
    try:
        await rule(*args, **kwargs)
    except ContractError:
        raise
    except AssertionError as error:
        raise ContractError(_sentence(rule), str(error)) from error
    except Exception as error:
        raise ContractError(_sentence(rule), f"{type(error).__name__}: {error}") from error


def _sentence(rule: Callable[..., object]) -> str:
    return " ".join((rule.__doc__ or "").split())

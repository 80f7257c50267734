"""A rule of the contract is a coroutine function: its docstring is the rule, and it raises if the rule is broken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVarTuple

__all__ = ["RULE_SECONDS", "ContractError", "check", "require"]

RULE_SECONDS: Final = 60.0  # a rule of a slow object store takes a few seconds
_Args = TypeVarTuple("_Args")


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


async def check(rule: Callable[[*_Args], Awaitable[None]], *args: *_Args, seconds: float) -> None:
    """Run a rule. Raises ContractError with the sentence of the rule if it raises any error or takes too long."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await rule(*args)
    except ContractError:
        raise
    except AssertionError as error:
        raise ContractError(_sentence(rule), str(error)) from error
    except Exception as error:
        fact = f"the check did not end within {seconds:g} s" if limit.expired() else f"{type(error).__name__}: {error}"
        raise ContractError(_sentence(rule), fact) from error


def _sentence(rule: Callable[..., object]) -> str:
    return " ".join((rule.__doc__ or "").split())

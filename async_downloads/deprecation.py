"""Former names of parameters."""

import functools
import warnings
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

__all__ = ["accepting_former_names"]


P = ParamSpec("P")
T = TypeVar("T")
_FORMER_NAMES: Final = {"attachment_filename": "download_name", "add_etags": "etag", "cache_timeout": "max_age"}


def accepting_former_names(
    **more: str,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Let a function also accept the parameter names of Flask 1 and of Quart, with a `DeprecationWarning`.

    `more` maps the former names of this function's other parameters to the present names. The function raises TypeError
    if a caller gives a parameter under both names.
    """
    names = _FORMER_NAMES | more

    def decorator(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(function)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            for former in names.keys() & kwargs.keys() if kwargs else ():
                name = names[former]
                if name in kwargs:
                    raise TypeError(f"'{former}' is the former name of '{name}': give only one of them")
                warnings.warn(f"'{former}' is now called '{name}'", DeprecationWarning, stacklevel=2)
                kwargs[name] = kwargs.pop(former)
            return await function(*args, **kwargs)

        return wrapper

    return decorator

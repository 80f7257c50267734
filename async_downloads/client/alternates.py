"""Download one file that several servers have: from all of them together or, if that fails, from one of them."""

from collections.abc import Awaitable, Callable, Sequence

from ..errors import DigestMismatch, DiskError, FetchError, TargetBusy
from .copies import RemoteCopy
from .reporter import Result

__all__ = ["fetch_any"]


async def fetch_any(copies: Sequence[RemoteCopy], run: Callable[[Sequence[RemoteCopy]], Awaitable[Result]]) -> Result:
    """Download a file with `run` from all copies together. If that fails, try the copies one by one.

    If the bytes of several servers together have the wrong digest, it is unknown which server is wrong, so each of them
    is tried alone. A server whose bytes could not be combined with those of other servers is tried alone too.

    Raises the FetchError of the last try. An error of the local disk is raised at once.
    """
    if len(copies) == 1:
        return await run(copies)
    try:
        return await run(copies)
    except (DiskError, TargetBusy):
        raise
    except FetchError as error:
        left = _worth_a_try(copies, error)
        if not left:
            raise
        _report(copies, error)
    while len(left) > 1:
        copy = left.pop(0)
        try:
            return await run([copy])
        except (DiskError, TargetBusy):
            raise
        except FetchError as error:
            copy.report(error)
    return await run(left)


def _report(copies: Sequence[RemoteCopy], error: FetchError) -> None:
    """Report the copy whose error ended the download from all copies, if that copy is known."""
    contributors = [each for each in copies if each.contributed]
    blamed = contributors if isinstance(error, DigestMismatch) else [each for each in copies if each.error is error]
    if len(blamed) == 1:
        blamed[0].report(error)


def _worth_a_try(copies: Sequence[RemoteCopy], error: FetchError) -> list[RemoteCopy]:
    """Return new copies for the servers from which the whole file may still be downloaded."""
    contributors = [each for each in copies if each.contributed]
    mixed = contributors if isinstance(error, DigestMismatch) and len(contributors) > 1 else []
    others = [each for each in copies if each.unfit or (each.error is None and not each.contributed)]
    return [each.again() for each in (*mixed, *(each for each in others if each not in mixed))]

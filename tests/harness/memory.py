"""The memory of the process that runs the tests, which runs thousands of them."""

import ctypes
import gc
from typing import Final

__all__ = ["freeze_garbage_collector", "return_free_memory"]

_C_LIBRARY: Final = ctypes.CDLL(None)


def freeze_garbage_collector() -> None:
    """Leave the objects that exist by now out of garbage collections: modules and tests stay until the end.

    A collection then looks only at what tests have made. With all modules it takes so long that Python seldom starts
    one, and meanwhile garbage with large bodies fills the memory.
    """
    gc.collect()
    gc.freeze()


def return_free_memory() -> None:
    """Return memory that is not in use to the system; glibc keeps what lies between two blocks in use."""
    if trim := getattr(_C_LIBRARY, "malloc_trim", None):
        trim(0)

"""The hint to install the optional packages of an extra."""

__all__ = ["how_to_install"]


def how_to_install(extra: str) -> str:
    """Return how to install an extra, whatever program installed this package.

    >>> how_to_install("socks")
    "install 'async-downloads[socks]' with pip, pipx or uv"
    """
    return f"install 'async-downloads[{extra}]' with pip, pipx or uv"

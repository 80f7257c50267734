"""Read an archive whole and unpack it with the standard library."""

import io
import tarfile
import zipfile

from async_downloads.sources.archive.source import ArchiveKind, ArchiveSource
from sources.contract import read

__all__ = ["unpacked", "whole"]


async def whole(archive: ArchiveSource) -> bytes:
    """Read all bytes of an archive."""
    return await read(archive, 0, archive.representation.size or 0)


def unpacked(data: bytes, kind: ArchiveKind = "zip") -> dict[str, bytes]:
    """Return the content of each member by its name; the name of a folder ends with a slash."""
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as found:
            assert found.testzip() is None
            return {name: found.read(name) for name in found.namelist()}
    with tarfile.open(fileobj=io.BytesIO(data), errorlevel=2) as tar:
        return {_name(info): file.read() if (file := tar.extractfile(info)) else b"" for info in tar}


def _name(info: tarfile.TarInfo) -> str:
    return f"{info.name}/" if info.isdir() else info.name

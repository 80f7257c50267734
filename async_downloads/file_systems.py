"""Find the file systems that may hang, and give each of them its own threads.

A call to a network file system (NFS, SMB, Ceph), or to one that another process provides (FUSE), may never return. So
such calls run in threads that belong to one device: if the device does not respond, only its own threads wait. To
choose the threads before the first call, `remote_device` finds out where a path leads. It touches only local file
systems.
"""

import ctypes
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Final, NamedTuple

from .threads import DaemonThreads

__all__ = [
    "RemoteMount",
    "file_version",
    "has_fixed_times",
    "is_local_path",
    "mount_at",
    "place_of",
    "remote_device",
    "remote_mount",
    "threads_of",
    "threads_of_file",
    "version_at",
]


# The numbers that statfs(2) gives to the file systems of local disks and of memory.
_LOCAL: Final = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # XFS
    0x9123683E,  # Btrfs
    0xCA451A4E,  # bcachefs
    0xF2F52010,  # F2FS
    0x2FC12FC1,  # ZFS
    0x3153464A,  # JFS
    0x3434,  # NILFS
    0x4D44,  # FAT
    0x2011BAB0,  # exFAT
    0x7366746E,  # NTFS
    0x9660,  # ISO 9660
    0x15013346,  # UDF
    0x01021994,  # tmpfs
    0x858458F6,  # ramfs
    0x794C7630,  # overlayfs
    0x73717368,  # SquashFS
    0xE0F5E1E2,  # EROFS
}
_KERNEL: Final = {  # these have no disk, and no page cache
    0x9FA0,  # /proc
    0x62656572,  # /sys
    0x63677270,  # cgroups
    0x1CD1,  # /dev/pts
    0x50495045,  # pipes
    0x534F434B,  # sockets
    0x09041934,  # descriptors without a file
}
# The names of all these in the table of mounts.
_NEAR_NAMES: Final = (
    "bcachefs bpf btrfs cgroup cgroup2 debugfs devpts devtmpfs erofs exfat ext2 ext3 ext4 f2fs hugetlbfs iso9660 jfs"
    " mqueue msdos nilfs2 ntfs ntfs3 overlay proc pstore ramfs reiserfs rootfs securityfs squashfs sysfs tmpfs tracefs"
    " udf vfat xfs zfs"
)
_NEAR: Final = frozenset(_NEAR_NAMES.split())
_FIXED_SECONDS: Final = {0, 1, 315532800}  # the last one is 1980-01-01, when the time of ZIP and FAT begins
_MOUNTS: Final = "/proc/self/mountinfo"
_MOUNTS_SECONDS: Final = 1.0  # the table of mounts is read again after this time
_MAX_TYPES: Final = 1000  # devices whose types are remembered
_TYPE_SECONDS: Final = 30.0  # a device's number may be given to another file system after it was unmounted
_STATUS_BYTES: Final = 256  # more than `struct statfs` has on any processor
_MAX_THREADS: Final = 8  # of one device
_MAX_LINKS: Final = 40  # on the way to a file, as in the kernel
_libc: Final = ctypes.CDLL(None) if sys.platform == "linux" else None
_threads: "Final[dict[int, DaemonThreads]]" = {}  # by device
_types: "Final[dict[int, tuple[int | None, float]]]" = {}  # by device, and until when


def place_of(fd: int) -> str | None:
    """Return the path that an open file has now; None without /proc."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return None


def has_fixed_times(status: os.stat_result) -> bool:
    """Whether the file system does not record when the file changed.

    In a mounted image (SquashFS, ISO 9660) or archive, all files have the same time, in whole seconds, and often 0. So
    the next image may contain another file with the same numbers.
    """
    changed, rest = divmod(status.st_ctime_ns, 10**9)
    return not rest and (status.st_ctime_ns == status.st_mtime_ns or changed in _FIXED_SECONDS)


def file_version(status: os.stat_result) -> tuple[int, ...]:
    """Return device, inode, size, modification time and change time: another version of a file differs in one of them.

    Both times are in nanoseconds.
    """
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def version_at(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    """Return the version of the file at a path; None if its status cannot be read."""
    try:
        return file_version(os.stat(path))
    except OSError:
        return None


def is_local_path(path: str) -> bool:
    """Whether a path is on a local disk or in memory."""
    return _statfs("statfs", os.fsencode(path)) in _LOCAL


def threads_of_file(fd: int, device: int) -> Executor | None:
    """Return the threads that may wait for an open file; None for those of the event loop."""
    found = _type_of(fd, device)
    return None if found is None or found in _LOCAL or found in _KERNEL else threads_of(device)


def threads_of(device: int) -> DaemonThreads:
    """Return the threads that may wait for this device."""
    return _threads.get(device) or _threads.setdefault(device, DaemonThreads(_MAX_THREADS))


def _type_of(fd: int, device: int) -> int | None:
    found, until = _types.get(device, (None, 0.0))
    now = time.monotonic()
    if now >= until:
        found = _statfs("fstatfs", fd)
        if len(_types) >= _MAX_TYPES:
            _types.clear()
        _types[device] = found, now + _TYPE_SECONDS
    return found


def _statfs(name: str, subject: int | bytes) -> int | None:
    """Return the type of a file system; None if it is unknown, or if the system is not Linux."""
    if _libc is None:
        return None
    status = ctypes.create_string_buffer(_STATUS_BYTES)
    if _libc[name](subject, status):
        return None
    return ctypes.c_ulong.from_buffer(status).value


class RemoteMount(NamedTuple):
    """The path at which a file system that is not local is mounted, and its device."""

    place: str
    device: int


def remote_device(path: str) -> int | None:
    """Return the device of `remote_mount`."""
    found = remote_mount(path)
    return found.device if found else None


def remote_mount(path: str) -> RemoteMount | None:
    """Return the first file system that is not local on the way to an absolute path; None if all are local.

    The function follows the path and its symbolic links, step by step, up to this file system.
    """
    remote = _remote_mounts()
    if not remote:
        return None
    place, steps, links = "", path.split("/")[::-1], 0
    while steps:
        step = steps.pop()
        if step in {"", "."}:
            continue
        if step == "..":
            place = place.rpartition("/")[0]
            continue
        if (device := remote.get(f"{place}/{step}")) is not None:
            return RemoteMount(f"{place}/{step}", device)
        target = _link_target(f"{place}/{step}")
        if target is None or (links := links + 1) > _MAX_LINKS:
            place = f"{place}/{step}"
            continue
        place = "" if target.startswith("/") else place
        steps += target.split("/")[::-1]
    return None


def mount_at(path: str) -> RemoteMount | None:
    """Return the file system that is mounted at exactly this path, if it is not local; else None."""
    device = _remote_mounts().get(path)
    return None if device is None else RemoteMount(path, device)


def _link_target(path: str) -> str | None:
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return None


_read_mounts: "tuple[float, dict[str, int]]" = (float("-inf"), {})


def _remote_mounts() -> dict[str, int]:
    """Return the devices of all file systems that are not local, by the place where each is mounted."""
    global _read_mounts  # noqa: PLW0603 - one table for the process
    now = time.monotonic()
    if now - _read_mounts[0] > _MOUNTS_SECONDS:
        _read_mounts = now, dict(_parsed_mounts())
    return _read_mounts[1]


def _parsed_mounts() -> Iterator[tuple[str, int]]:
    """Read the table that proc(5) describes. The root is left out: nothing can be served while it is missing."""
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
            rows = [line.split(" ") for line in lines]
    except OSError:  # not Linux
        return
    for row in rows:
        if row[4] != "/" and row[row.index("-", 6) + 1] not in _NEAR:
            place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), row[4])
            major, minor = row[2].split(":")
            yield place, os.makedev(int(major), int(minor))

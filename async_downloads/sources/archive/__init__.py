"""Archives of files and folders. They are made while they are sent, with ranges and a strong ETag::

    from async_downloads.sources.archive import archive_of

    source = await archive_of(store, "photos/2026", "photos")  # photos.zip

`archive_of` makes an archive of a folder of a store. `ArchiveSource` is an archive of any `ArchiveMember`s, such as
`ArchiveMember.of_source("report.pdf", source)`.
"""

from .layout import Member
from .member import ArchiveMember
from .source import ArchiveKind, ArchiveSource
from .walk import ArchiveLimits, archive_of, members_below

__all__ = ["ArchiveKind", "ArchiveLimits", "ArchiveMember", "ArchiveSource", "Member", "archive_of", "members_below"]

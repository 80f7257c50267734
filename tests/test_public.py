"""The names that users import: each is listed here, exists, and has a docstring that says what it is."""

from importlib import import_module
from typing import Final

import pytest
from source_tree import PACKAGE

import async_downloads

PUBLIC: Final = {
    "": """DirectoryStore Downloads Signer Site abort create_app init_app make_response safe_join send_archive send_file
        send_from_directory send_source sign_url signed_links""",
    "access.signer": "Link Signer sign_url",
    "client": "Downloader FetchError NetworkOptions Progress ResponseStream Result SegmentProgress download",
    "config": "ServerSettings Settings",
    "errors": """AlreadyThere ArchiveTooLarge BadResponse BadStatus DeadlineExceeded DigestMismatch DiskError
        DownloadError FetchError Forbidden IsDirectory LinkExpired NetworkError NoSuchHost NotFound RefusedRedirect
        RemoteChanged RetriesExhausted SendStalled SourceBusy SourceChanged SourceError SourceTruncated Stalled
        TargetBusy TlsError""",
    "quart": """DownloadConnection DownloadResponse SendOptions abort init_app make_response safe_join send_archive
        send_file send_from_directory send_source signed_links""",
    "semantics.etags": "ETag",
    "semantics.plan": "Policy",
    "semantics.ranges": "UNBOUNDED ByteRange",
    "semantics.representation": "Representation Validators",
    "sources.archive": "ArchiveLimits ArchiveMember ArchiveSource Member archive_of members_below",
    "sources.base": """Browsable Entry Listing OnDisk Source Store SupportsChecksum SupportsDigest SupportsOpenMany
        SupportsReadNowait SupportsRefresh SupportsRequests VersionedListing""",
    "sources.directory": "DirectoryStore",
    "sources.memory": "MemorySource MemoryStore",
    "sources.object_storage": "ObjectStore S3Signer",
    "starlette": "DownloadResponse ResponseOptions",
    "testing": "ContractError check_changes check_source check_store",
}
# Names that only the package's own modules import. Every module that is not listed is private.
INTERNAL: Final = {
    "access.signer": "Expiry full_path secrets_of",
    "config": "DATABASE_VARIABLES PREFIX Setting table",
    "semantics.etags": "ANY ETags any_match parse_etags",
    "semantics.plan": "Plan UNCONDITIONAL plan with_vary",
    "semantics.ranges": "ContentRange RangeSpec parse_range resolve",
    "semantics.representation": "Field NO_VALIDATORS RequestHead",
    "sources.archive": "ArchiveKind",
    "sources.base": "EtagKind MAX_ENTRIES",
    "sources.directory": "is_hidden",
}
NAMES: Final = [(module, name) for module, names in PUBLIC.items() for name in names.split()]


def _module(name: str) -> object:
    return import_module(f"{PACKAGE}.{name}".removesuffix("."))


@pytest.mark.parametrize(("module", "name"), NAMES, ids=[f"{module}.{name}".strip(".") for module, name in NAMES])
def test_a_public_name_exists_and_says_what_it_is(module: str, name: str) -> None:
    value = getattr(_module(module), name)
    assert (value.__doc__ or "").strip()
    assert name in {"UNBOUNDED", getattr(value, "__name__", None)}  # a constant does not know its name


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_says_which_of_its_names_are_public(module: str) -> None:
    listed = {*PUBLIC[module].split(), *INTERNAL.get(module, "").split()}
    assert listed == set(_module(module).__all__)  # type: ignore[attr-defined]


def test_the_public_names_of_the_package_are_sorted_and_listed() -> None:
    assert async_downloads.__all__ == sorted(async_downloads.__all__)
    assert set(async_downloads.__all__) <= set(dir(async_downloads))


def test_any_other_name_is_missing_as_in_every_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'async_downloads' has no attribute 'send_files'"):
        async_downloads.send_files  # noqa: B018 - that is what is tested


def test_a_name_is_found_once() -> None:
    assert async_downloads.Downloads is async_downloads.Downloads
    assert "Downloads" in vars(async_downloads)

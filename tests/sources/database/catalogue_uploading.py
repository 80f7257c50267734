"""The part of the contract of catalogues about uploads that stall, fail, are cancelled or killed, or compete."""

import asyncio
import sys
from contextlib import suppress
from typing import Final

import pytest
from harness.waiting import HANGING

from async_downloads.errors import AlreadyThere, NotFound, SourceError
from async_downloads.sources.database.catalogue import CHUNK_BYTES, Catalogue, StoredFile
from sources.contract import read_whole
from sources.database.uploads import LARGE, SMALL, Fresh, Upload, blocks, checked

__all__ = ["UploadingContract"]

# A process that is killed when 20 MiB of its second upload are stored; its first upload must survive.
_KILLED: Final = """
import asyncio, sys
from async_downloads.sources.database.urls import open_catalogue

async def endless():
    for _ in range(20):
        yield bytes(1024 * 1024)
    print("ready", flush=True)
    await asyncio.Event().wait()

async def once():
    yield b"kept"

async def main():
    catalogue = open_catalogue(sys.argv[1])
    await catalogue.put("kept", once())
    await catalogue.put("half", endless(), replace=True)

asyncio.run(main())
"""


class UploadingContract:
    """An upload is complete or absent, whatever happens during it."""

    async def test_a_file_is_invisible_before_its_last_byte(self, catalogue: Catalogue, fresh: Fresh) -> None:
        upload, other = Upload(LARGE), fresh()
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        with pytest.raises(NotFound):
            await other.open("a.bin")
        assert await other.files() == []
        assert (await other.list("")).entries == ()
        upload.go_on.set()
        await putting
        assert await read_whole(other, "a.bin") == LARGE

    async def test_stalled_uploads_do_not_block_others(self, catalogue: Catalogue) -> None:
        uploads = [Upload(LARGE[: 2 * CHUNK_BYTES]) for _ in range(20)]
        async with asyncio.TaskGroup() as tasks:
            putting = [
                tasks.create_task(catalogue.put(f"{place}", upload.blocks())) for place, upload in enumerate(uploads)
            ]
            for upload in uploads:
                await upload.halfway.wait()
            await asyncio.wait_for(catalogue.put("z", blocks(SMALL)), HANGING)
            assert await asyncio.wait_for(read_whole(catalogue, "z"), HANGING) == SMALL
            for upload in uploads:
                upload.go_on.set()
        assert {task.result().name for task in putting} == {f"{place}" for place in range(20)}
        assert len(await checked(catalogue)) == 21

    async def test_a_failed_upload_leaves_nothing(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE)
        upload.go_on.set()
        with pytest.raises(ConnectionResetError):
            await catalogue.put("a.bin", upload.blocks(ConnectionResetError()))
        await self._left_nothing(catalogue)

    async def test_a_failed_upload_leaves_the_previous_version(self, catalogue: Catalogue) -> None:
        before = await catalogue.put("a.bin", blocks(SMALL))
        upload = Upload(LARGE)
        upload.go_on.set()
        with pytest.raises(ConnectionResetError):
            await catalogue.put("a.bin", upload.blocks(ConnectionResetError()), replace=True)
        assert await catalogue.files() == [before]
        assert await read_whole(catalogue, "a.bin") == SMALL

    async def test_a_cancelled_upload_leaves_nothing(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE)
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        await self._left_nothing(catalogue)

    @staticmethod
    async def _left_nothing(catalogue: Catalogue) -> None:
        with pytest.raises(NotFound):
            await catalogue.open("a.bin")
        assert await catalogue.files() == []
        await catalogue.gc(0)
        assert await catalogue.gc(0) == 0
        await catalogue.put("a.bin", blocks(SMALL))
        assert await checked(catalogue) == ["a.bin"]

    async def test_an_upload_cancelled_at_any_step_is_complete_or_absent(self, catalogue: Catalogue) -> None:
        for steps in range(25):
            putting = asyncio.create_task(catalogue.put("a.bin", blocks(LARGE[: 2 * CHUNK_BYTES]), replace=True))
            for _ in range(steps):
                await asyncio.sleep(0)
            putting.cancel()
            await asyncio.gather(putting, return_exceptions=True)
            assert await checked(catalogue) in ([], ["a.bin"])
        await catalogue.put("a.bin", blocks(LARGE), replace=True)
        await catalogue.gc(0)
        assert await read_whole(catalogue, "a.bin") == LARGE

    async def test_one_of_two_uploads_of_a_name_is_rejected(self, catalogue: Catalogue, fresh: Fresh) -> None:
        uploads = Upload(LARGE), Upload(LARGE[::-1])
        putting = [
            asyncio.create_task(each.put("a.bin", upload.blocks()))
            for each, upload in zip((catalogue, fresh()), uploads, strict=True)
        ]
        for upload in uploads:
            await upload.halfway.wait()
        for upload in uploads:
            upload.go_on.set()
        first, second = await asyncio.gather(*putting, return_exceptions=True)
        kept, refused = (first, second) if isinstance(first, StoredFile) else (second, first)
        assert isinstance(refused, AlreadyThere)
        assert await catalogue.files() == [kept]
        assert await read_whole(catalogue, "a.bin") == (LARGE if kept is first else LARGE[::-1])

    async def test_two_replacements_of_a_name_both_succeed(self, catalogue: Catalogue, fresh: Fresh) -> None:
        other = fresh()
        first, second = await asyncio.gather(
            catalogue.put("a.bin", blocks(LARGE), replace=True), other.put("a.bin", blocks(SMALL), replace=True)
        )
        (file,) = await catalogue.files()
        assert file in (first, second)
        assert (first.id, first.token) == (second.id, second.token)
        await catalogue.gc(0)
        assert await checked(catalogue) == ["a.bin"]

    async def test_gc_keeps_an_upload_in_progress(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE)
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        await catalogue.gc(3600)
        upload.go_on.set()
        await putting
        assert await checked(catalogue) == ["a.bin"]

    async def test_an_upload_meeting_gc_without_grace_is_complete_or_fails(self, catalogue: Catalogue) -> None:
        upload = Upload(LARGE * 8)
        putting = asyncio.create_task(catalogue.put("a.bin", upload.blocks()))
        await upload.halfway.wait()
        await catalogue.gc(0)
        upload.go_on.set()
        with suppress(SourceError):
            await putting
        assert await checked(catalogue) in ([], ["a.bin"])
        await catalogue.gc(0)
        assert await catalogue.gc(0) == 0

    async def test_a_killed_upload_leaves_nothing_and_loses_nothing(
        self, catalogue: Catalogue, fresh: Fresh, url: str
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _KILLED, url, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        process.kill()
        await process.wait()
        for each in (catalogue, fresh()):
            with pytest.raises(NotFound):
                await each.open("half")
            assert await read_whole(each, "kept") == b"kept"
            assert await checked(each) == ["kept"]
        await catalogue.put("half", blocks(SMALL))
        await catalogue.gc(0)
        assert await catalogue.gc(0) == 0
        assert await checked(fresh()) == ["half", "kept"]

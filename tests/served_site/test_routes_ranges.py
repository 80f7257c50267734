"""Ranges and conditions on every route, in-memory documents included."""

import pytest

from served_site.site import Site
from served_site.test_routes import ROUTES

_PDFS = tuple(target for target in ROUTES if target.startswith("/pdf/"))
_SENT_BY_QUART = _PDFS[1:]  # plain responses, which the package does not touch
_DOWNLOADS = tuple(target for target in ROUTES if target not in _SENT_BY_QUART)
_FILES = tuple(target for target in ROUTES if target not in _PDFS)


@pytest.mark.parametrize("target", _DOWNLOADS)
async def test_a_range_is_a_slice_of_the_file(site: Site, target: str) -> None:
    whole = (await site.get(target)).content
    part = await site.get(target, range="bytes=1-2")
    assert (part.status_code, part.headers["content-range"]) == (206, f"bytes 1-2/{len(whole)}")
    if target in _FILES:  # a document is made anew for each request
        assert part.content == whole[1:3]


@pytest.mark.parametrize("target", _DOWNLOADS)
async def test_a_range_beyond_the_end_gets_416(site: Site, target: str) -> None:
    size = (await site.ask(target, "HEAD")).headers["content-length"]
    response = await site.get(target, range="bytes=1000000-")
    assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize("target", _SENT_BY_QUART)
async def test_a_response_without_range_support_is_whole(site: Site, target: str) -> None:
    response = await site.get(target, range="bytes=1-2")
    assert (response.status_code, response.content[:5]) == (200, b"%PDF-")


@pytest.mark.parametrize("target", ROUTES)
async def test_head_has_the_fields_of_get(site: Site, target: str) -> None:
    response, head = await site.get(target), await site.ask(target, "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    varying = {"date", "etag", "content-length"} if target in _PDFS else {"date"}
    assert {**head.headers, **dict.fromkeys(varying)} == {**response.headers, **dict.fromkeys(varying)}


@pytest.mark.parametrize("target", _FILES)
async def test_a_client_that_has_the_file_gets_304(site: Site, target: str) -> None:
    response = await site.get(target)
    tag = response.headers["etag"]
    assert (await site.get(target, if_none_match=tag)).status_code == 304
    assert (await site.get(target, if_modified_since=response.headers["last-modified"])).status_code == 304
    assert (await site.get(target, if_match='"other"')).status_code == 412
    resumed = await site.get(target, range="bytes=1-", if_range=tag)
    assert (resumed.status_code, resumed.content) == (206, response.content[1:])
    assert (await site.get(target, range="bytes=1-", if_range='"other"')).status_code == 200


@pytest.mark.parametrize("target", ROUTES)
async def test_options_lists_the_methods(site: Site, target: str) -> None:
    response = await site.ask(target, "OPTIONS")
    assert response.status_code in {200, 204}
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}

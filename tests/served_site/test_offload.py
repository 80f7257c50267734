"""Files that a server in front sends: the response names the file, whatever the request's conditions are."""

from pathlib import Path

import pytest
from harness.asgi import ask

from async_downloads.config import Settings
from served_site.site import app_of


@pytest.mark.parametrize(
    ("how", "field", "path"),
    [("sendfile", "x-sendfile", "{folder}/a b.txt"), ("nginx:/_files/", "x-accel-redirect", "/_files/a%20b.txt")],
)
async def test_a_response_names_the_file_and_leaves_conditions_to_the_server_in_front(
    tmp_path: Path, how: str, field: str, path: str
) -> None:
    (tmp_path / "a b.txt").write_text("content")
    app = app_of(Settings(directory=tmp_path, offload=how, etag="digest"))
    for fields in ((), (("Range", "bytes=0-1"),), (("If-None-Match", "*"),), (("If-Match", '"other"'),)):
        found = await ask(app, "/a%20b.txt?download", fields=fields)
        assert (found.status, found.body, found.fields["content-length"]) == (200, b"", "0")
        assert found.fields[field] == path.format(folder=tmp_path)
        assert found.fields["content-disposition"] == 'attachment; filename="a b.txt"'
        assert {"etag", "last-modified"} <= set(found.fields)
        assert not {"accept-ranges", "repr-digest"} & set(found.fields)
    assert (await ask(app, "/none.txt")).status == 404


@pytest.mark.parametrize(("how", "is_sent_here"), [("nginx:/_files/", True), ("sendfile", False)])
async def test_a_private_document_keeps_its_sandbox(tmp_path: Path, how: str, is_sent_here: bool) -> None:
    (tmp_path / "page.html").write_text("<script>1</script>")
    (tmp_path / "a.txt").write_text("a")
    app = app_of(Settings(directory=tmp_path, offload=how, auth_path=("/private",), secret="a secret of the tests"))
    page, text = await ask(app, "/page.html"), await ask(app, "/a.txt")
    assert page.fields["content-security-policy"] == "sandbox allow-scripts"
    assert (page.body == b"<script>1</script>") is is_sent_here
    assert text.body == b""


def test_only_a_folder_can_be_offloaded() -> None:
    with pytest.raises(ValueError, match="needs exactly one folder"):
        app_of(Settings(offload="sendfile"))

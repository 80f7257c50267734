"""Programs that copy a folder: wget, lftp and rclone. They find each file once, and a second time copy nothing."""

import os
from pathlib import Path

from tools.programs import run

from readers.conftest import EXPECTED, contents


def _tampered(path: Path) -> str:
    """Change a file to a text of the same size, with the same time; return the text."""
    status, text = path.stat(), path.read_text()[::-1]
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return text


def test_wget_finds_each_file_once(url: str, saved: Path) -> None:
    options = ("-q", "-r", "-np", "-nH", "--cut-dirs=1", "-N", "--restrict-file-names=nocontrol")
    run("wget", *options, f"{url}/data/", cwd=saved)
    pages = {"index.html", "deep/index.html", "deep/er/index.html"}
    found = contents(saved)
    assert {name: text for name, text in found.items() if name not in pages} == EXPECTED
    assert set(found) == set(EXPECTED) | pages
    kept = _tampered(saved / "deep" / "c.csv")
    run("wget", *options, f"{url}/data/", cwd=saved)
    assert set(contents(saved)) == set(found)
    assert (saved / "deep" / "c.csv").read_text() == kept


def test_lftp_lists_and_mirrors(url: str, saved: Path) -> None:
    lftp = ("lftp", "--norc", "-c")
    listed = run(*lftp, f"open {url}/data/; cls -1", cwd=saved).decode().split("\n")
    assert sorted(filter(None, listed)) == sorted({name.partition("/")[0] + "/" * ("/" in name) for name in EXPECTED})
    run(*lftp, f"open {url}/data/; mirror . .", cwd=saved)
    assert contents(saved) == EXPECTED
    kept = _tampered(saved / "a.csv")
    run(*lftp, f"open {url}/data/; mirror . .", cwd=saved)
    assert contents(saved) == {**EXPECTED, "a.csv": kept}


def test_rclone_lists_and_copies(url: str, saved: Path) -> None:
    rclone = ("rclone", "--config", "", "--http-url", f"{url}/data/")
    listed = run(*rclone, "lsf", "-R", "--files-only", "--format", "sp", ":http:").decode().splitlines()
    assert sorted(listed) == sorted(f"{len(text.encode())};{name}" for name, text in EXPECTED.items())
    run(*rclone, "copy", ":http:", saved)
    assert contents(saved) == EXPECTED
    kept = _tampered(saved / "a.csv")
    run(*rclone, "copy", ":http:", saved)
    assert contents(saved) == {**EXPECTED, "a.csv": kept}

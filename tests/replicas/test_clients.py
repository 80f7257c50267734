"""Clients behind a balancer: each saves the exact bytes, also if it is killed, or one of the servers is."""

import hashlib
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from harness.waiting import HANGING
from tools.command import COMMAND, environment
from tools.programs import run

from replicas.conftest import Site
from replicas.fronts import FRONTS, fronts
from replicas.replica import CONTENT, NAME, wait_until

_HELD = 12_345_678  # bytes of a download that was interrupted
_DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _get(path: Path, url: str, *options: str) -> "subprocess.Popen[bytes]":
    command = [*COMMAND, "get", url, "-o", str(path), "-x", "4", "-q", *options]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment())


def _end_of(process: "subprocess.Popen[bytes]") -> None:
    _, said = process.communicate(timeout=HANGING)
    assert process.returncode == 0, said.decode()


def _begun(path: Path) -> Callable[[], bool]:
    part = Path(f"{path}.part")
    return lambda: part.exists() and os.stat(part).st_blocks > 4096


def _by_get(path: Path, url: str) -> None:
    killed = _get(path, url, "--limit-rate", "12M")
    wait_until(_begun(path))
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=HANGING)
    assert not path.exists()
    _end_of(_get(path, url))


def _by_curl(path: Path, url: str) -> None:
    path.write_bytes(CONTENT[:_HELD])
    run("curl", "-sS", "-f", "-C", "-", "-o", path, url)


def _by_wget(path: Path, url: str) -> None:
    path.write_bytes(CONTENT[:_HELD])
    run("wget", "--no-config", "-q", "-c", "-O", path, url)


def _by_aria2c(path: Path, url: str) -> None:
    options = ("--no-conf", "-q", "-x4", "-s4", "-k1M", "--file-allocation=none", "--max-tries=1")
    run("aria2c", *options, "-d", path.parent, "-o", path.name, url)


_CLIENTS = {"get": _by_get, "curl": _by_curl, "wget": _by_wget, "aria2c": _by_aria2c}


@pytest.mark.parametrize("front", FRONTS)
def test_each_client_saves_the_exact_bytes_by_several_connections_and_after_an_interruption(
    site: Site, front: str, tmp_path: Path
) -> None:
    with ThreadPoolExecutor() as threads:
        running = {
            name: threads.submit(download, tmp_path / name, site.url(front)) for name, download in _CLIENTS.items()
        }
    for name, ended in running.items():
        ended.result()
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == _DIGEST, name


@pytest.mark.parametrize("front", FRONTS)
def test_head_get_and_parts_of_both_servers_have_the_same_fields(site: Site, front: str) -> None:
    url, parts = site.url(front), {"Range": "bytes=0-0,100-100"}
    for replica in site.replicas:
        wait_until(replica.has_strong_etag)
    with httpx.Client(timeout=HANGING) as client:
        whole = [client.request(method, url) for method in ("HEAD", "HEAD", "GET", "GET")]
        assert len({each.headers["etag"] for each in whole}) == 1
        if front != "slice":  # which asks for one piece after another
            several = [client.request(method, url, headers=parts) for method in ("HEAD", "HEAD", "GET", "GET")]
            assert len({(each.status_code, each.headers["content-type"]) for each in several}) == 1


def test_get_goes_on_with_the_other_server_if_one_is_killed(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    first, second = site.replicas
    with fronts(tmp_path / "fronts", site.replicas) as urls:  # those of `site` would remember who has failed
        second.kill()
        try:
            downloading = _get(path, f"{urls['slow']}/{NAME}", "--limit-rate", "12M")
            wait_until(_begun(path))
        finally:
            second.start()
        try:
            first.kill()
            _end_of(downloading)
        finally:
            first.start()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == _DIGEST

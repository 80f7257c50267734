"""OpenStack Swift, a distributed store, with its S3 interface: all of its servers in one process, as pip installs them.

python swift_server.py FOLDER S3_PORT ACCOUNT_PORT CONTAINER_PORT OBJECT_PORT    ends when its standard input ends
"""

import os
import sys
from pathlib import Path
from typing import Any

import eventlet

eventlet.monkey_patch()  # before Swift is imported

import socket  # noqa: E402

import eventlet.wsgi  # noqa: E402
from eventlet import tpool  # noqa: E402
from swift.common import constraints, utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402

_SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = test
swift_hash_path_suffix = test
[storage-policy:0]
name = only
default = yes
[swift-constraints]
max_file_size = 5368709122
"""
_DEFAULTS = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
recon_cache_path = {folder}/recon
mount_check = false
disable_fallocate = true
bind_ip = 127.0.0.1
bind_port = {port}
log_level = CRITICAL
log_address = {folder}/nothing
"""
_STORAGE = """
[pipeline:main]
pipeline = server
[app:server]
use = egg:swift#{kind}
allow_versions = true
"""
_FILTERS = ("catch_errors", "gatekeeper", "listing_formats", "s3api", "tempauth", "copy", "slo", "versioned_writes")
_OPTIONS = {
    "s3api": "s3_acl = no\ncheck_bucket_owner = no\nlocation = us-east-1\ndns_compliant_bucket_names = no",
    "tempauth": "user_test_tester = testing .admin",
    "versioned_writes": "allow_versioned_writes = true\nallow_object_versioning = true",
}
_PROXY = f"""
[pipeline:main]
pipeline = {" ".join(_FILTERS)} symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:symlink]
use = egg:swift#symlink
"""


class _NoLog:
    def write(self, *_: object) -> None:
        """Drop the line."""

    info = debug = error = write


def _configure(folder: Path, ports: dict[str, int]) -> None:
    """Write the files that Swift reads, and the rings with its only device."""
    for name in ("devices/only", "recon"):
        (folder / name).mkdir(parents=True)
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")  # Swift has no option for this path
    Path(utils.SWIFT_CONF_FILE).write_text(_SWIFT_CONF)
    utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b"test"
    constraints.reload_constraints()
    reload_storage_policies()
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{_OPTIONS.get(name, '')}\n" for name in _FILTERS)
    for kind, port in ports.items():
        text = _PROXY + filters if kind == "proxy" else _STORAGE.format(kind=kind)
        (folder / f"{kind}.conf").write_text(_DEFAULTS.format(folder=folder, port=port) + text)
        if kind != "proxy":
            _write_ring(folder / f"{kind}.ring.gz", port)


def _write_ring(path: Path, port: int) -> None:
    builder = RingBuilder(4, 1, 0)  # 16 parts, one replica
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"region": 1, "zone": 1, "device": "only", "weight": 1.0, **place})
    builder.rebalance()
    builder.get_ring().save(str(path))


def _serve(folder: Path, kind: str, port: int) -> None:
    app: Any = loadapp(str(folder / f"{kind}.conf"), global_conf={})
    listener = eventlet.listen(("127.0.0.1", port), reuse_addr=True)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else each response waits 40 ms for an ACK
    eventlet.spawn(
        eventlet.wsgi.server,
        listener,
        app,
        _NoLog(),
        protocol=SwiftHttpProtocol,
        capitalize_response_headers=False,
    )


def _main(folder: Path, proxy: int, account: int, container: int, stored: int) -> None:
    ports = {"account": account, "container": container, "object": stored, "proxy": proxy}
    _configure(folder, ports)
    for kind, port in ports.items():
        _serve(folder, kind, port)
    tpool.execute(sys.stdin.buffer.read)
    os._exit(0)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *map(int, sys.argv[2:]))

"""nginx and HAProxy in front of two servers.

Their settings are the default ones, except that HAProxy asks `/-/ready` five times a second, and waits for the response
of a busy machine. By default it asks every 2 s. It stops to use a server after three failures.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import httpx
from harness.ports import reserved_port
from harness.waiting import HANGING
from tools.programs import need

from replicas.replica import Replica, wait_until

__all__ = ["FRONTS", "Fronts", "fronts", "responds", "run_until_exit", "running_nginx"]

# What every configuration needs so that nothing of an installed nginx is used.
_HTTP: Final = """
daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log {scratch}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {scratch}/1; proxy_temp_path {scratch}/2; fastcgi_temp_path {scratch}/3;
  uwsgi_temp_path {scratch}/4; scgi_temp_path {scratch}/5;
  {servers}
}}
"""
# `nginx` sends requests to both servers in turns. `slice` fetches and caches a file by pieces, in turns, too. `slow` is
# `nginx` with a limited rate, so that a download takes long enough to be interrupted.
_NGINX: Final = """
  proxy_cache_path {scratch}/cache keys_zone=pieces:1m;
  upstream app {{ {servers} }}
  server {{ listen 127.0.0.1:{nginx}; location / {{ proxy_pass http://app; }} }}
  server {{ listen 127.0.0.1:{slow}; location / {{ proxy_pass http://app; limit_rate 12m; }} }}
  server {{ listen 127.0.0.1:{slice}; location / {{
    slice 1m; proxy_set_header Range $slice_range; proxy_http_version 1.1;
    proxy_cache pieces; proxy_cache_key $uri$slice_range; proxy_cache_valid 200 206 1h;
    proxy_ignore_headers Cache-Control;
    proxy_pass http://app;
  }} }}
"""
_HAPROXY: Final = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout check 10s
frontend front
  bind 127.0.0.1:{haproxy}
  default_backend app
backend app
  balance roundrobin
  option httpchk GET /-/ready
{servers}
"""
FRONTS: Final = ("nginx", "slice", "haproxy")
Fronts = dict[str, str]


@contextmanager
def fronts(scratch: Path, replicas: Sequence[Replica]) -> Iterator[Fronts]:
    """Run nginx and HAProxy until the end of the block; yield the URLs by the names of the fronts."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(reserved_port()) for name in (*FRONTS, "slow")}
        servers = " ".join(f"server 127.0.0.1:{each.port};" for each in replicas)
        stack.enter_context(running_nginx(scratch, _NGINX.format(scratch=scratch, servers=servers, **ports)))
        lines = "\n".join(f"  server s{each.port} 127.0.0.1:{each.port} check inter 200ms" for each in replicas)
        (scratch / "haproxy.cfg").write_text(_HAPROXY.format(servers=lines, **ports))
        run_until_exit(stack, need("haproxy"), "-q", "-f", f"{scratch}/haproxy.cfg")
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        for url in urls.values():
            wait_until(partial(responds, url))
        yield urls


@contextmanager
def running_nginx(scratch: Path, servers: str) -> Iterator[None]:
    """Run nginx with these servers until the end of the block; its files are in a new folder."""
    scratch.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    (scratch / "nginx.conf").write_text(_HTTP.format(scratch=scratch, user=user, servers=servers))
    with ExitStack() as stack:
        run_until_exit(
            stack, need("nginx"), "-e", f"{scratch}/error.log", "-p", f"{scratch}", "-c", f"{scratch}/nginx.conf"
        )
        yield


def run_until_exit(stack: ExitStack, *command: str) -> None:
    """Run a server until the end of the stack."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    stack.callback(process.wait, HANGING)
    stack.callback(process.kill if "haproxy" in command[0] else process.terminate)


def responds(url: str) -> bool:
    """Whether the app behind a front responds."""
    try:
        return httpx.get(f"{url}/-/healthy", timeout=HANGING).status_code == 200
    except httpx.TransportError:
        return False

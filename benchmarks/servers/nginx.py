"""nginx with sendfile: the upper limit for files on this machine."""

import os
import re
import shutil
import subprocess

from benchmarks.servers.base import HTTP2, Server, Site

__all__ = ["NGINX", "nginx_command", "nginx_version", "no_nginx"]

# Every path is in the scratch folder, so that an installed nginx is neither needed nor disturbed. A connection may
# serve any number of requests, as in the other servers. Threads, if nginx was built with them, wait for the disk.
# tcp_nopush is off: with it the last segment of a range waits 40 ms for the client's delayed acknowledgement. The cache
# of open files lets clients of one file share a descriptor; otherwise 10,000 clients would need 20,000 descriptors.
CONFIGURATION = """
daemon off;
worker_processes 1;
{user}
pid {scratch}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    default_type application/octet-stream;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    {upstreams}
    server {{
        listen {address}{protocols} backlog=2048;
        {tls}
        {content}
    }}
}}
"""
_FILES = """
        sendfile on;
        {threads}
        open_file_cache max=1000;
        root {directory};
        autoindex on;
        autoindex_exact_size off;
"""


def _program() -> str | None:
    """Return the path of nginx; Debian has it outside of a user's PATH."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")


def _command(site: Site) -> list[str]:
    return nginx_command(site, _FILES.format(directory=site.directory, threads=_threads()))


def nginx_command(site: Site, content: str, upstreams: str = "") -> list[str]:
    """Return the command of an nginx on the address of the site; `content` is the part of its server for the files."""
    user = "user root;" if os.geteuid() == 0 else ""  # the files are in a folder only their owner may enter
    places = {"scratch": site.scratch, "address": site.address, "content": content, "upstreams": upstreams}
    configuration = site.scratch / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(user=user, **places, **_security(site)))
    return [_program() or "nginx", "-e", "stderr", "-p", str(site.scratch), "-c", str(configuration)]


def _security(site: Site) -> dict[str, str]:
    """Return the lines for TLS; every version accepts ``http2`` as a parameter of ``listen``."""
    if not site.secure:
        return {"protocols": "", "tls": ""}
    tls = f"ssl_certificate {site.certificate}; ssl_certificate_key {site.key}; ssl_protocols TLSv1.3;"
    return {"protocols": " ssl http2", "tls": tls}


def no_nginx() -> str | None:
    return None if _program() else "nginx is not installed"


def nginx_version() -> str:
    found = re.search(r"nginx/(\S+)", _build())
    return f"nginx {found[1]}" if found else ""


def _threads() -> str:
    return "aio threads;" if "--with-threads" in _build() else ""


def _build() -> str:
    """Return the version and the build options that nginx prints."""
    command = [_program() or "nginx", "-V"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stderr


NGINX = Server(
    name="nginx",
    title="nginx, sendfile",
    command=_command,
    versions=nginx_version,
    missing=no_nginx,
    scenarios=HTTP2 | {"listing"},
)

"""The servers that are compared, in the order of the tables."""

from benchmarks.servers.base import Server
from benchmarks.servers.clients import DOWNLOADERS
from benchmarks.servers.floors import FLOORS
from benchmarks.servers.nginx import NGINX
from benchmarks.servers.objects import OBJECTS
from benchmarks.servers.ours import OURS
from benchmarks.servers.peers import PEERS
from benchmarks.servers.sources import SOURCES

__all__ = ["BASELINE", "SERVERS"]

BASELINE = "flask-gthread-8"  # ratios are to this one in the same run
SERVERS: dict[str, Server] = {
    server.name: server for server in (*PEERS, NGINX, *FLOORS, *OURS, *SOURCES, *OBJECTS, *DOWNLOADERS)
}

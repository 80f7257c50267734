"""Offload: a server in front sends the file, and this one only says which file.

nginx takes the path of an internal location from X-Accel-Redirect; Apache and lighttpd take the path of the file from
X-Sendfile. They put in validators of their own, evaluate conditions and ranges themselves, and send the bytes. So our
response has status 200 and no content, whatever the conditions of the request are.
"""

from typing import Final, NamedTuple, Self
from urllib.parse import quote

from .responder import Response, respond
from .semantics.plan import Policy
from .semantics.representation import Representation, RequestHead
from .sources.base import Source

__all__ = ["Offload"]


# The server in front knows these when it sends the file.
_LEFT_OUT: Final = frozenset({"accept-ranges", "content-length", "etag", "last-modified", "repr-digest", "vary"})


class Offload(NamedTuple):
    """The field that names a file, and what stands before the file's key in its value."""

    field: str
    base: str = ""

    @classmethod
    def of(cls, text: str, directory: str) -> Self:
        """Return the offload of a directory, for a text that `read_offload` accepts.

        >>> Offload.of("nginx:/_files/", "/srv"), Offload.of("sendfile", "/srv")
        (Offload(field='X-Accel-Redirect', base='/_files/'), Offload(field='X-Sendfile', base='/srv/'))
        """
        kind, _, prefix = text.partition(":")
        return cls("X-Accel-Redirect", prefix) if kind == "nginx" else cls("X-Sendfile", f"{directory.rstrip('/')}/")

    async def respond(
        self, request: RequestHead, source: Source, policy: Policy, key: str, *, selected: Representation | None = None
    ) -> Response:
        """Return the response that names the file with this key; it closes the source.

        Characters that have a meaning in URLs are escaped: all three servers undo that.
        """
        planned = await respond(RequestHead("HEAD", request.now), source, policy, selected=selected)
        fields = [field for field in planned.fields if field[0].lower() not in _LEFT_OUT]
        place = quote(self.base + key, errors="surrogateescape")
        return planned._replace(fields=(*fields, ("Content-Length", "0"), (self.field, place)))

"""Offload: a server in front sends the file, and this server only names the file.

nginx reads the path of an internal location from X-Accel-Redirect; Apache and lighttpd read the path of the file from
X-Sendfile. They evaluate conditions and ranges themselves, and send the bytes. So our response has status 200 and no
content, whatever the conditions of the request are. nginx replaces our ETag by its own. Apache and lighttpd keep our
ETag, because that of Apache's mod_xsendfile 0.12 is "0" for every file.
"""

import os
import re
from typing import Final, NamedTuple, Self
from urllib.parse import quote

from .responder import Response, respond
from .semantics.plan import Policy
from .semantics.representation import Representation, RequestHead
from .sources.base import Source

__all__ = ["Offload"]


# The server in front sets these fields itself.
_LEFT_OUT: Final = frozenset({"accept-ranges", "content-length", "repr-digest", "vary"})
_NGINX: Final = "X-Accel-Redirect"
# Characters that must be escaped in X-Sendfile: controls, spaces at the end of a path, and percent signs.
_NOT_PLAIN: Final = re.compile(rb"[%\x00-\x1f\x7f]| (?= *\Z)")


class Offload(NamedTuple):
    """The name of the field that names a file, and the text before the file's key in the value of the field.

    Without `keeps_policy`, the server in front removes Content-Security-Policy, which private documents need.
    """

    field: str
    base: str = ""
    keeps_policy: bool = True

    @classmethod
    def of(cls, text: str, directory: str, *, is_private: bool = False) -> Self:
        """Return the offload of a directory, for a text that `read_offload` accepts.

        >>> Offload.of("nginx:/_files/", "/srv", is_private=True)
        Offload(field='X-Accel-Redirect', base='/_files/', keeps_policy=False)
        >>> Offload.of("sendfile", "/srv")
        Offload(field='X-Sendfile', base='/srv/', keeps_policy=True)
        """
        kind, _, prefix = text.partition(":")
        if kind == "nginx":
            return cls(_NGINX, prefix, keeps_policy=not is_private)
        return cls("X-Sendfile", f"{directory.rstrip('/')}/")

    async def respond(
        self, request: RequestHead, source: Source, policy: Policy, key: str, *, selected: Representation | None = None
    ) -> Response:
        """Return the response that names the file with this key; it closes the source."""
        planned = await respond(RequestHead("HEAD", request.now), source, policy, selected=selected)
        fields = [field for field in planned.fields if field[0].lower() not in _LEFT_OUT]
        path = self.base + key
        place = quote(path, errors="surrogateescape") if self.field == _NGINX else _plain(path)
        return planned._replace(fields=(*fields, ("Content-Length", "0"), (self.field, place)))


def _plain(path: str) -> str:
    """Return the bytes of a path as text for a field, with as few escapes as possible.

    lighttpd decodes the escapes. mod_xsendfile 0.12 does not: for such a path Apache responds with 404, and never sends
    another file.

    >>> _plain("/a b?.txt"), _plain("/50%")
    ('/a b?.txt', '/50%25')
    """
    return _NOT_PLAIN.sub(lambda found: b"%%%02X" % ord(found[0]), os.fsencode(path)).decode("latin-1")

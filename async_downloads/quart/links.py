"""`signed_links`: a view that only signed links open."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, cast

from quart import Response, current_app, make_response, request
from werkzeug.datastructures import Headers

from ..access.private_responses import linked_fields, private_fields
from ..access.signer import Signer
from ..errors import DownloadError
from ..sending import Scope, encode_field
from .send import abort_for

__all__ = ["signed_links"]


P = ParamSpec("P")


def signed_links(signer: Signer) -> Callable[[Callable[P, Any]], Callable[P, Awaitable[Response]]]:
    """Return a decorator for a view: only links that the signer has signed open it::

        @app.get("/reports/<path:name>")
        @signed_links(signer)
        async def report(name):
            return await send_from_directory("reports", name)

    The link has the path and the query of the view's URL: `signer.sign("/reports/a.pdf", expires=3600)`. The response
    to an expired link is 410, to any other one 403. The view's response is private, and has the name of the link. The
    view may be a plain function, too.
    """

    def decorate(view: Callable[P, Any]) -> Callable[P, Awaitable[Response]]:
        @functools.wraps(view)
        async def checked(*args: P.args, **kwargs: P.kwargs) -> Response:
            try:
                link, _ = signer.open(cast("Scope", request.scope))
            except DownloadError as error:
                abort_for(error)
            made: Any = await current_app.ensure_async(view)(*args, **kwargs)
            response = cast("Response", await make_response(made))
            private = linked_fields(private_fields(map(encode_field, response.headers)), link, response.status_code)
            response.headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in private])
            return response

        return checked

    return decorate

"""Flask's download API on Quart: the same names, parameters and responses; each function must be awaited.

    from async_downloads import init_app, send_from_directory

    app = Quart(__name__)
    init_app(app)

    @app.get("/reports/<path:name>")
    async def report(name):
        return await send_from_directory("reports", name, as_attachment=True)

With `init_app` this package sends the downloads. Without it Quart sends the same bytes, but more slowly. An
`after_request` function that calls `await response.get_data()` reads the whole body into memory.
"""

from quart import abort, make_response
from werkzeug.security import safe_join

from .app import DownloadConnection, init_app
from .archives import send_archive
from .links import signed_links
from .response import DownloadResponse
from .send import SendOptions, send_file, send_from_directory, send_source

__all__ = [
    "DownloadConnection",
    "DownloadResponse",
    "SendOptions",
    "abort",
    "init_app",
    "make_response",
    "safe_join",
    "send_archive",
    "send_file",
    "send_from_directory",
    "send_source",
    "signed_links",
]

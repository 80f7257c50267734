"""Private files with Quart: users read only the files in their own folder, and can share one for an hour.

Make a folder with a file for the user ann, and start the app in the folder of this program:

    mkdir -p private/ann && echo 'for ann alone' > private/ann/notes.txt
    SECRET="$(openssl rand -hex 32)" async-downloads run quart_private_files:app

Then read the file as ann. The second command prints a link that opens the file without a password:

    curl -u 'ann:correct horse' http://127.0.0.1:8000/files/notes.txt
    curl -u 'ann:correct horse' http://127.0.0.1:8000/share/notes.txt
"""

import os
import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from quart import Quart, Response, request

from async_downloads import Signer, abort, init_app, send_from_directory, signed_links

FILES = Path("private").resolve()
USERS = {"ann": "correct horse", "ben": "battery staple"}  # a real app keeps hashes of passwords in its database
# Without the variable, links work until the app is restarted, and in one process only.
SIGNER = Signer(os.environ.get("SECRET") or secrets.token_hex(32))

app = Quart(__name__)
init_app(app)


@app.get("/files/<path:name>")
async def private_file(name: str) -> Response:
    """Send a file of the user's own folder. The name cannot lead out of it."""
    response = await send_from_directory(FILES / _user(), name)
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@app.get("/share/<path:name>")
async def share(name: str) -> str:
    """Return a link to a file that works for an hour without a password. A name with ".." is refused."""
    path = quote(f"/shared/{_user()}/{name}")
    try:
        return SIGNER.sign(f"{request.host_url.rstrip('/')}{path}", expires=timedelta(hours=1)) + "\n"
    except ValueError:
        abort(404)


@app.get("/shared/<user>/<path:name>")
@signed_links(SIGNER)
async def shared_file(user: str, name: str) -> Response:
    """Send a file to everyone with a link that `share` has made; nothing in the link can be changed."""
    return await send_from_directory(FILES / user, name)


def _user() -> str:
    """Return the name of the user whose password the request has. Responds with 401 if it has none."""
    login = request.authorization
    name, password = (login.username or "", login.password or "") if login else ("", "")
    if name not in USERS or not secrets.compare_digest(password.encode(), USERS[name].encode()):
        abort(Response("a password is needed\n", 401, {"WWW-Authenticate": 'Basic realm="files"'}))
    return name

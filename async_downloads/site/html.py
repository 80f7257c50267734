"""The templates, and the files that pages load: one style, one script and one icon. Browsers cache them for ever.

The name of such a file contains the digest of its content. Pages load nothing from other servers, and contain no script
or style themselves, so their Content-Security-Policy allows only files of the same origin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..semantics.plan import Policy
from ..sources.memory import MemorySource
from .names import NamePart, marked, readable
from .pages import page, zipped
from .rows import readable_size

__all__ = [
    "ASSETS",
    "ASSET_FOLDER",
    "ASSET_POLICY",
    "PAGE_POLICY",
    "Crumb",
    "asset_text",
    "crumbs_of",
    "render",
    "the_asset",
]


ASSET_FOLDER: Final = "-/static/"
_TYPES: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PAGE_POLICY: Final = Policy(
    fields=(
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
        ("Referrer-Policy", "same-origin"),
        ("Vary", "Accept"),
    )
)
ASSET_POLICY: Final = Policy(fields=(("Cache-Control", "public, max-age=31536000, immutable"),))


def asset_text(name: str) -> str:
    """Return the content of a file that pages load."""
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _keyed(name: str) -> str:
    stem, _, suffix = name.rpartition(".")
    return f"{ASSET_FOLDER}{stem}.{sha256(asset_text(name).encode()).hexdigest()[:12]}.{suffix}"


ASSETS: Final[Mapping[str, str]] = {name: _keyed(name) for name in _TYPES}
_PLAIN: Final = {ASSETS[name]: page(asset_text(name).encode(), kind) for name, kind in _TYPES.items()}
_ZIPPED: Final = {key: zipped(plain, is_wanted=True) for key, plain in _PLAIN.items()}
_ENVIRONMENT: Final = Environment(
    loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters["readable"] = readable
_ENVIRONMENT.globals.update(assets=ASSETS, readable_size=readable_size)


def the_asset(key: str, *, in_gzip: bool) -> MemorySource | None:
    """Return the style, the script or the icon with this key; None if the key names none of them."""
    plain = _PLAIN.get(key)
    if plain is None:
        return None
    return _ZIPPED[key] if in_gzip else zipped(plain, is_wanted=False)


@dataclass(frozen=True, slots=True)
class Crumb:
    """One folder in the path that a page shows. `up` is the relative URL of the folder; "" for the page itself."""

    parts: tuple[NamePart, ...]
    up: str


def crumbs_of(key: str) -> list[Crumb]:
    """Return the path to a folder ("a/b/"), or to a file ("a/b"), from the top.

    >>> [crumb.up for crumb in crumbs_of("a/b/")], [crumb.up for crumb in crumbs_of("a/b")]
    (['../../', '../', ''], ['../', './', ''])
    """
    names = [marked(readable(name)) for name in key.removesuffix("/").split("/") if name]
    levels = range(len(names), 0, -1) if key.endswith("/") else range(len(names) - 1, -1, -1)
    ups = ["../" * level or "./" for level in levels] + [""]
    return [Crumb(parts, up) for parts, up in zip(((NamePart("Files"),), *names), ups, strict=False)]


def render(template: str, **data: Any) -> bytes:
    """Render a template."""
    return _ENVIRONMENT.get_template(template).render(**data).encode("utf-8")

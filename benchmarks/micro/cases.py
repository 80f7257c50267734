"""The timed cases: ordinary requests, and the worst fields that a server lets through.

A hostile field comes in two lengths. The work is bounded if the longer one costs no more for each byte.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from async_downloads.semantics.etags import ETag, parse_etags
from async_downloads.semantics.plan import Plan, Policy, plan
from async_downloads.semantics.ranges import parse_range
from async_downloads.semantics.representation import Representation, RequestHead, Validators

__all__ = ["CASES", "PLANS", "Case"]

NOW: Final = 1_800_000_000
LIMIT: Final = Policy().max_ranges
# Hypercorn takes a head of 16 KiB over HTTP/1.1 and 64 KiB of fields over HTTP/2.
LENGTHS: Final = (8 * 1024, 64 * 1024)
SELECTED: Final = Representation(
    size=1024**3,
    validators=Validators(ETag("5f3e-1a2b3c"), NOW - 86_400),
    filename="report 2026.pdf",
)
POLICY: Final = Policy("attachment", (("Cache-Control", "no-cache"),), secret=b"a secret")
CURRENT: Final = str(SELECTED.validators.etag)
EIGHT: Final = ",".join(f"{start}-{start + 8191}" for start in range(0, 8 * 10**8, 10**8))


@dataclass(frozen=True, slots=True)
class Case:
    """One call to time; `field` is the text it has to read."""

    name: str
    call: Callable[[], object]
    field: str = ""


def _plan(**fields: str) -> Callable[[], Plan]:
    """Plan the response to a GET with those fields; an underscore in a name becomes a hyphen."""
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    return partial(plan, RequestHead("GET", NOW, given), SELECTED, POLICY)


PLANS: Final[dict[str, Callable[[], Plan]]] = {
    "plain GET": _plan(accept="*/*", user_agent="curl/8"),
    "If-None-Match, the same": _plan(if_none_match=CURRENT),
    "one range": _plan(range="bytes=1000000-1065535"),
    "eight ranges": _plan(range=f"bytes={EIGHT}"),
    "If-Range, the same": _plan(range="bytes=1000000-", if_range=CURRENT),
    "If-Range, another": _plan(range="bytes=1000000-", if_range='"another"'),
}

_RANGES: Final = {"one": "bytes=0-499", "last bytes": "bytes=-500", "eight": f"bytes={EIGHT}"}
_ETAGS: Final = {"one": CURRENT, "eight, one of them weak": ", ".join([CURRENT] * 7 + [f"W/{CURRENT}"])}


def _filled(start: str, unit: str, end: str, length: int) -> str:
    """Repeat the unit until the field is that long."""
    return start + unit * ((length - len(start) - len(end)) // len(unit)) + end


def _hostile_ranges(length: int) -> Iterator[tuple[str, str]]:
    yield "commas", _filled("bytes=", ",", "", length)
    yield "thousands of ranges", _filled("bytes=", "0-0,", "", length)
    digits = "9" * ((length - len("bytes=-")) // 2)
    yield "digits", f"bytes={digits}-{digits}"
    yield "spaces", _filled("bytes=0-0", " ", "x", length)


def _hostile_etags(length: int) -> Iterator[tuple[str, str]]:
    yield "commas", _filled("", ",", "", length)
    yield "thousands of tags", _filled("", '"",', '""', length)
    yield "spaces", _filled("", " ", "x", length)
    yield "a quote left open", _filled('"', "a,", "", length)


def _cases() -> Iterator[Case]:
    yield from (Case(f"plan: {name}", call) for name, call in PLANS.items())
    ranges, etags = partial(parse_range, limit=LIMIT), parse_etags
    yield from (Case(f"Range: {name}", partial(ranges, text), text) for name, text in _RANGES.items())
    yield from (Case(f"ETags: {name}", partial(etags, text), text) for name, text in _ETAGS.items())
    for length in LENGTHS:
        size = f"{length // 1024} KiB"
        yield from (Case(f"Range: {size}, {n}", partial(ranges, text), text) for n, text in _hostile_ranges(length))
        yield from (Case(f"ETags: {size}, {n}", partial(etags, text), text) for n, text in _hostile_etags(length))


CASES: Final = tuple(_cases())

"""Plan a response: make its status, fields and pieces from a request, a representation and a policy.

Preconditions (§13.2.2) ── fail ──> 412        no representation
      │                 └─ same ──> 304        the fields of §15.4.5
      ▼
Range (§14.2), If-Range ── none within ──> 416 Content-Range: bytes */size
      │                 ├─ one ──────────> 206 that range
      ▼                 └─ several ──────> 206 multipart/byteranges
     200                                       the whole
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from .dates import format_date
from .digests import repr_digest
from .disposition import Disposition, content_disposition
from .multipart import Piece, byteranges
from .preconditions import SAFE_METHODS, Outcome, Preconditions, if_range_holds
from .ranges import UNBOUNDED, ByteRange, ContentRange, parse_range, resolve
from .representation import Field, Representation, RequestHead, Validators

__all__ = ["UNCONDITIONAL", "Plan", "Policy", "plan", "with_vary"]


# The store has chosen the coding and found the digest, so the plan does not need these.
UNCONDITIONAL: Final = frozenset({"accept-encoding", "want-repr-digest"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How a server offers a representation.

    `disposition` says whether browsers show the file ("inline") or save it ("attachment"); None sends no such field.
    `fields` are added to every 200, 206 and 304, for example Cache-Control. If `conditional` is False, conditions and
    ranges are ignored. `max_ranges` limits the ranges of one request (§17.15). The boundaries of multipart bodies are
    made from `secret`, so that the author of a file cannot guess a boundary and write it into the file.

    The hash is computed once, because a policy is a part of the key of every cached plan.
    """

    disposition: Disposition | None = None
    fields: tuple[Field, ...] = ()
    conditional: bool = True
    max_ranges: int = 256
    secret: bytes = b""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = self.disposition, self.fields, self.conditional, self.max_ranges, self.secret
        object.__setattr__(self, "_hash", hash(values))

    def __hash__(self) -> int:
        return self._hash


class Plan(NamedTuple):
    """A planned response; `pieces` make its body and are empty for HEAD, 304, 412 and 416."""

    status: int
    fields: tuple[Field, ...]
    pieces: tuple[Piece, ...] = ()


def plan(request: RequestHead, selected: Representation, policy: Policy) -> Plan:
    """Plan the response with the selected representation (RFC 9110 §13.2.2, §14.2).

    For methods other than GET and HEAD it has the whole representation: the request was already carried out.
    """
    current = selected.validators.at(request.now)
    if not policy.conditional or request.method not in SAFE_METHODS or UNCONDITIONAL.issuperset(request.fields):
        return _full(request.method == "HEAD", selected, current, policy)
    outcome = Preconditions.parse(request.fields, now=request.now).evaluate(request.method, current)
    if outcome is Outcome.NOT_MODIFIED:
        return Plan(304, _not_modified(selected, current, policy))
    if outcome is Outcome.FAILED:
        return Plan(412, (("Content-Length", "0"),))
    spans = _requested_ranges(request, selected, current, policy)
    if spans is None:
        return _full(request.method == "HEAD", selected, current, policy)
    return _full_or_partial(request.method, selected, current, policy, spans)


def _requested_ranges(
    request: RequestHead, selected: Representation, current: Validators, policy: Policy
) -> tuple[ByteRange, ...] | None:
    """Return the ranges to send; () if none can be satisfied, None if Range is absent or ignored.

    HEAD is treated like GET, although §14.2 defines Range for GET only. This is our one deliberate deviation: people
    test ranges with `curl -I -r 10-20`, and other servers do the same.
    """
    value = request.fields.get("range")
    if value is None or not selected.ranges or not selected.size:
        return None
    specs = parse_range(value, limit=policy.max_ranges)
    if specs is None:
        return None
    condition = request.fields.get("if-range")
    if condition is not None and not if_range_holds(condition, current, now=request.now):
        return None
    return resolve(specs, selected.size)


@lru_cache(maxsize=1024)
def _full(is_head: bool, selected: Representation, current: Validators, policy: Policy) -> Plan:
    return _full_or_partial("HEAD" if is_head else "GET", selected, current, policy, None)


def _full_or_partial(
    method: str,
    selected: Representation,
    current: Validators,
    policy: Policy,
    spans: tuple[ByteRange, ...] | None,
) -> Plan:
    if spans == ():
        return Plan(416, (("Content-Range", str(ContentRange(None, selected.size))), ("Content-Length", "0")))
    status, media_type, content_range, pieces = 200, selected.media_type, None, _whole(selected.size)
    if spans and len(spans) == 1:
        status, content_range, pieces = 206, ContentRange(spans[0], selected.size), spans
    elif spans and selected.size:
        boundary = _boundary(policy, selected, spans)
        parts = byteranges(spans, size=selected.size, media_type=media_type, boundary=boundary)
        if sum(map(len, parts)) < selected.size:  # otherwise the whole representation is shorter (§14.2)
            status, media_type, pieces = 206, f"multipart/byteranges; boundary={boundary}", parts
    fields: list[Field] = [("Content-Type", media_type)]
    if selected.size is not None:
        fields.append(("Content-Length", str(sum(map(len, pieces)))))
    if content_range:
        fields.append(("Content-Range", str(content_range)))
    fields += _described(selected, current, policy)
    return Plan(status, tuple(fields), () if method == "HEAD" else pieces)


@lru_cache(maxsize=1024)
def _whole(size: int | None) -> tuple[Piece, ...]:
    if size is None:
        return (UNBOUNDED,)
    return (ByteRange(0, size),) if size else ()


def _boundary(policy: Policy, selected: Representation, spans: tuple[ByteRange, ...]) -> str:
    """Return a boundary that is the same for HEAD and GET, but that is unknown without the secret.

    Servers with the same strong ETag have the same bytes, though perhaps with another date.
    """
    etag = selected.validators.etag
    version: object = selected if etag is None or etag.weak else (etag, selected.size, selected.media_type)
    return sha256(policy.secret + repr((version, spans)).encode()).hexdigest()[:32]


@lru_cache(maxsize=1024)
def _described(selected: Representation, current: Validators, policy: Policy) -> tuple[Field, ...]:
    """Return the fields of a 200 or 206 that do not depend on the ranges."""
    fields: list[Field] = [("X-Content-Type-Options", "nosniff")]
    if policy.conditional:
        fields.append(("Accept-Ranges", "bytes" if selected.ranges and selected.size is not None else "none"))
    if selected.coding:
        fields.append(("Content-Encoding", selected.coding))
    if selected.language:
        fields.append(("Content-Language", selected.language))
    if policy.disposition:
        fields.append(("Content-Disposition", content_disposition(policy.disposition, selected.filename)))
    if current.last_modified is not None:
        fields.append(("Last-Modified", format_date(current.last_modified)))
    if selected.digest:
        fields.append(("Repr-Digest", repr_digest(selected.digest)))
    return (*fields, *_cache_fields(selected, current, policy))


def _cache_fields(selected: Representation, current: Validators, policy: Policy) -> list[Field]:
    """Return the fields that are the same in a 200, a 206 and a 304 (§15.4.5)."""
    fields: list[Field] = [("ETag", str(current.etag))] if current.etag else []
    fields += policy.fields
    if selected.negotiated:
        fields = with_vary(fields, "Accept-Encoding")
    if selected.cache_control is None:
        return fields
    others = [each for each in fields if each[0] != "Cache-Control"]
    return [*others, ("Cache-Control", selected.cache_control)]


def with_vary(fields: Iterable[Field], name: str) -> list[Field]:
    """Return the fields of a response that also depends on the request field `name` (§12.5.5).

    The names stand in one Vary field, because the cache of nginx before 1.23 reads only the last one.

    >>> with_vary([("Vary", "Accept"), ("Age", "1")], "Cookie")
    [('Age', '1'), ('Vary', 'Accept, Cookie')]
    """
    kept = [each for each in fields if each[0] != "Vary"]
    return [*kept, ("Vary", ", ".join([*(value for key, value in fields if key == "Vary"), name]))]


def _not_modified(selected: Representation, current: Validators, policy: Policy) -> tuple[Field, ...]:
    """Return the fields of a 304: no metadata of the representation, except a date if there is no ETag."""
    fields = _cache_fields(selected, current, policy)
    if current.etag is None and current.last_modified is not None:
        fields.append(("Last-Modified", format_date(current.last_modified)))
    return tuple(fields)

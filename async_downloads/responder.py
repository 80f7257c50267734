"""`respond` makes a response from a plan and a source; the `Body` of the response reads the source.

request ─┐
source ──┼─> plan() ──> status, fields, pieces ──> Response(status, fields, Body)
policy ──┘                                                        │
                                          chunks of bytes <───────┘  read from the source, at the client's pace
"""

import os
from dataclasses import replace
from functools import cache
from typing import Final, NamedTuple

from .body import Body
from .errors import SourceChanged, SourceTruncated
from .secret_files import read_secret
from .semantics.plan import Plan, Policy, plan
from .semantics.representation import Field, Representation, RequestHead, Validators
from .sources.base import Source, SupportsRefresh
from .timeouts import STALL_TIMEOUT

__all__ = ["Response", "boundary_secret", "respond"]


# Multipart boundaries are made from a secret. This one is made on import, before `serve` forks its workers: a HEAD
# request and the GET request after it may reach two workers, and both responses must name the same boundary.
_RANDOM: Final = os.urandom(16)
_MAX_REFRESHES: Final = 2  # a file that changes more often than this cannot be sent


def boundary_secret(secret: str | bytes | None = None) -> bytes:
    """Return the secret of `Policy`: the given one, or that of this process. Raises ValueError like `read_secret`."""
    given = secret.encode() if isinstance(secret, str) else secret
    return given or _default_secret()


@cache
def _default_secret() -> bytes:
    return (read_secret("ASYNC_DOWNLOADS_SECRET") or "").encode() or _RANDOM


class Response(NamedTuple):
    """A response that is ready to be sent.

    `own_fields` are further fields, which an app has set. Their names are in lower case, and both are the bytes that
    are sent. Their values may be secrets and may differ in each response, for example Set-Cookie.
    """

    status: int
    fields: tuple[Field, ...]
    body: Body
    own_fields: tuple[tuple[bytes, bytes], ...] = ()


async def respond(
    request: RequestHead,
    source: Source,
    policy: Policy,
    *,
    selected: Representation | None = None,
    stall_timeout: float = STALL_TIMEOUT,
    replannable: bool = False,
) -> Response:
    """Return the response to a request for the source. From then on the response owns the source and closes it.

    `selected` describes the source instead of the source's own representation. `stall_timeout` is in seconds. With
    `replannable`, the source stays open for `Body.replan` unless the status is 200.
    """
    policy = policy if policy.secret else replace(policy, secret=_default_secret())
    try:
        planned, body = await _begin(request, source, policy, selected, stall_timeout)
    except BaseException:
        await source.aclose()
        raise
    if body.whole is not None and not (replannable and planned.status != 200):
        await body.aclose()
    return Response(planned.status, planned.fields, body)


async def _begin(
    request: RequestHead, source: Source, policy: Policy, selected: Representation | None, stall_timeout: float
) -> tuple[Plan, Body]:
    """Plan the response and read its first bytes. If the source changed since it was opened, plan it again."""
    refreshed = 0
    while True:
        described = source.representation
        try:
            planned = plan(request, selected or described, policy)
            body = Body(planned.pieces, source, stall_timeout=stall_timeout)
            body.selected = selected or described
            if body.whole is None:
                await body.begin()
        except (SourceChanged, SourceTruncated):
            if refreshed == _MAX_REFRESHES or not isinstance(source, SupportsRefresh):
                raise
            refreshed += 1
            await source.refresh()
            selected = selected and _refreshed(selected, described, source.representation)
        else:
            return planned, body


def _refreshed(selected: Representation, before: Representation, now: Representation) -> Representation:
    """Return the description of a source that has changed, but keep the validators that the caller has chosen."""
    old, new, chosen = before.validators, now.validators, selected.validators
    validators = Validators(
        new.etag if chosen.etag == old.etag else chosen.etag,
        new.last_modified if chosen.last_modified == old.last_modified else chosen.last_modified,
    )
    return replace(selected, size=now.size, validators=validators, ranges=now.ranges, digest=now.digest)

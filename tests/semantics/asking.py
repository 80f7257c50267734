"""One representation, and requests for it."""

from async_downloads.semantics.dates import format_date
from async_downloads.semantics.etags import ETag
from async_downloads.semantics.plan import Plan, Policy, plan
from async_downloads.semantics.representation import Representation, RequestHead, Validators
from semantics import wire

NOW = 1_000_000_000
MODIFIED = NOW - 3600
CONTENT = b"".join(number.to_bytes(2, "big") for number in range(5000))
PDF = Representation(len(CONTENT), "application/pdf", validators=Validators(ETag("v1"), MODIFIED))
PLAIN = Policy()
CACHING = (("Cache-Control", "max-age=60"), ("Expires", format_date(NOW + 60)))


def ask(
    fields: dict[str, str] | None = None,
    *,
    method: str = "GET",
    selected: Representation = PDF,
    policy: Policy = PLAIN,
) -> Plan:
    return plan(RequestHead(method, NOW, fields or {}), selected, policy)


def content_of(response: Plan) -> bytes:
    return wire.body(response.pieces, CONTENT)


def names(response: Plan) -> set[str]:
    return {name for name, _ in response.fields}

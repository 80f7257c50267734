"""Checks whether your own source or store keeps the contract of `Source` and `Store`. Use them in any test framework::

    from async_downloads.testing import check_store

    async def test_the_store_keeps_the_contract():
        await check_store(MyStore(...), {"a.txt": b"text", "docs/b.bin": bytes(1_000_000)})

A check runs the rules one after the other. The first rule that is broken raises a ContractError, whose message is the
rule and the fact that contradicts it. A rule whose check takes more than `seconds_per_rule` counts as broken. The
contents should be longer than a few chunks of the source, because many faults show only between two chunks.
"""

from ..sources.base import Browsable, Store
from .change_rules import CHANGE_RULES, Changing, Put, Remove
from .keys import Contents
from .listing_rules import LISTING_RULES
from .rules import RULE_SECONDS, ContractError, check
from .source_rules import check_source
from .store_rules import STORE_RULES, check_sources

__all__ = ["ContractError", "check_changes", "check_source", "check_store"]


async def check_store(store: Store, contents: Contents, *, seconds_per_rule: float = RULE_SECONDS) -> None:
    """Check a store. `contents` has its keys, at least one, each with the bytes of its content.

    This also checks the source of each key as `check_source` does. If the store has the method `list`, `contents` must
    have all keys of the store. The contents of the store must not change meanwhile. Raises ContractError if a rule is
    broken or takes more than `seconds_per_rule`, and ValueError if `contents` is empty.
    """
    if not contents:
        raise ValueError("the contents need at least one key")
    await check_sources(store, contents, seconds_per_rule)
    for rule in STORE_RULES:
        await check(rule, store, contents, seconds=seconds_per_rule)
    if isinstance(store, Browsable):
        for listing_rule in LISTING_RULES:
            await check(listing_rule, store, contents, seconds=seconds_per_rule)


async def check_changes(
    store: Store, key: str, put: Put, remove: Remove, *, seconds_per_rule: float = RULE_SECONDS
) -> None:
    """Check what the store does while the content of a key is replaced or removed by other means.

    `await put(key, data)` must give the key new bytes, and `await remove(key)` must remove it. Both must work as other
    programs that use the backend do, for example with plain file operations or SQL. The largest `data` has about 3 MiB.
    The key is removed at the end. Raises ContractError if a rule is broken or takes more than `seconds_per_rule`.
    """
    for rule in CHANGE_RULES:
        await check(rule, Changing(store, key, put, remove), seconds=seconds_per_rule)

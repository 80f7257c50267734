"""Compression of response fields (RFC 7541) with the static table alone: a field always becomes the same bytes."""

from collections.abc import Iterable
from typing import Any, Final

from hpack import Encoder

from ...semantics.shared_fields import FIELDS, SharedCache, is_shared
from ..http1.request_head import Field

__all__ = ["FieldEncoder"]


_NO_TABLE: Final = b"\x20"  # the new size of our dynamic table is 0 (§6.3)
_INDEXED: Final = 0x80  # the field is one of the static table (§6.1)


class FieldEncoder(Encoder):
    """Encodes the fields of responses for h2, without a dynamic table.

    With a table, each response would be about 150 bytes shorter. But the table of each connection is different, so each
    field would be searched for and encoded again in every response. For a small file this takes longer than everything
    else. Other servers have no table, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_begun = False

    @property
    def header_table_size(self) -> int:
        """The size of the dynamic table in bytes."""
        return 0

    @header_table_size.setter
    def header_table_size(self, value: int) -> None:
        """Ignore the limit that the client sets, because there is no table."""

    def encode(self, headers: Iterable[Any], huffman: bool = True) -> bytes:  # noqa: ARG002 - of hpack
        """Encode a list of fields. The first list also says that there is no table, because a client may require it."""
        parts = [_encoded[field] for field in headers]
        if not self._has_begun:
            self._has_begun = True
            parts.insert(0, _NO_TABLE)
        return b"".join(parts)


_static: Final = Encoder()


def _encode(field: Field) -> bytes:
    """Return a field as an index, or as a literal that is not indexed.

    hpack makes literals that must never be indexed, which differ in one bit: a proxy may index ours (§6.2.2, §6.2.3).
    """
    encoded = _static.add(field, sensitive=True, huffman=True)
    return encoded if encoded[0] & _INDEXED else bytes((encoded[0] & 0x0F,)) + encoded[1:]


_encoded: Final = SharedCache(_encode, is_shared, FIELDS)

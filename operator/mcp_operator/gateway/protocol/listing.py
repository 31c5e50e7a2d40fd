"""Paginated lists, encoded once per table and era.

A cursor names the last entry of the previous page instead of a position. So it stays valid on every
replica, and when the catalog changes between two pages, even if that entry is deleted.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError, encode

ENTRY_BYTES: Final = 256
"""Approximate bytes that an entry takes in addition to its text."""


class Listing:
    """One list of one era, in the order of its keys.

    Attributes:
        size: Bytes that it takes, without the entries that it shares with narrower lists.
    """

    def __init__(
        self,
        field: str,
        entries: Iterable[tuple[str, JsonObject | bytes]],
        *,
        page_size: int,
        extra: Mapping[str, object],
    ) -> None:
        """Encode the entries.

        Args:
            field: The property of the result that contains the list.
            entries: Each with the unique key that it is ordered by; bytes are already encoded.
            page_size: Entries per page, at least 1.
            extra: Other members of the result of every page.
        """
        ordered = sorted(entries, key=lambda entry: entry[0])
        self._field = field
        self._keys = [key for key, _ in ordered]
        self._items = [each if isinstance(each, bytes) else encode(each) for _, each in ordered]
        self._page_size = page_size
        self._extra = extra
        self._tail = encode(extra)[1:-1]
        self._pages = {
            start: self._build(start) for start in range(0, max(1, len(ordered)), page_size)
        }
        self.size = sum(map(len, self._pages.values())) + ENTRY_BYTES * len(ordered)

    def narrowed(self, keys: AbstractSet[str]) -> Listing:
        """Return a list of only some entries, without encoding them again."""
        kept = [pair for pair in zip(self._keys, self._items, strict=True) if pair[0] in keys]
        return Listing(self._field, kept, page_size=self._page_size, extra=self._extra)

    def page(self, cursor: object = None) -> bytes:
        """Return an encoded result: the first page, or the one that a cursor points to.

        An empty cursor means the first page, because some clients send it.

        Raises:
            RpcError: -32602, the cursor does not belong to this list.
        """
        start = (
            0 if cursor is None or cursor == "" else bisect_right(self._keys, self._open(cursor))
        )
        return self._pages.get(start) or self._build(start)

    def _build(self, start: int) -> bytes:
        stop = start + self._page_size
        parts = [b'"' + self._field.encode() + b'":[' + b",".join(self._items[start:stop]) + b"]"]
        if stop < len(self._items):
            parts.append(b'"nextCursor":' + encode(self._seal(self._keys[stop - 1])))
        if self._tail:
            parts.append(self._tail)
        return b"{" + b",".join(parts) + b"}"

    def _seal(self, key: str) -> str:
        return base64.urlsafe_b64encode(f"{self._field}\n{key}".encode()).decode("ascii")

    def _open(self, cursor: object) -> str:
        text = cursor if isinstance(cursor, str) else ""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            field, _, key = raw.decode("utf-8").partition("\n")
        except (UnicodeError, binascii.Error):
            field, key = "", ""
        if field != self._field:
            raise RpcError(
                spec.INVALID_PARAMS,
                "The cursor is not valid for this list; start again without a cursor",
            )
        return key

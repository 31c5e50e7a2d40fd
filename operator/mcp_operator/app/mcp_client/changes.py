"""Compares what a server offered before with what it offers now. All pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mcp_operator.app.inspection.tables import printable
from mcp_operator.app.mcp_client.describing import KINDS


class Change(NamedTuple):
    """One change.

    Attributes:
        change: One of added, removed, changed, updated, announced.
        kind: The list on the wire, such as `tools`.
        name: The name of the entry; for a resource, the URI.
    """

    change: str
    kind: str
    name: str

    def line(self) -> str:
        """Format the change for a person."""
        return printable(f"{KINDS[self.kind].lower()} {self.change}: {self.name}")


def changes(
    kind: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> Iterator[Change]:
    """Yield the differences between two lists, by name.

    Args:
        kind: The name of the list on the wire.
        before: Its earlier entries.
        after: Its entries now.
    """
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield Change("removed", kind, name)
        elif name not in old:
            yield Change("added", kind, name)
        elif old[name] != new[name]:
            yield Change("changed", kind, name)


def _by_name(entries: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {
        str(one.get("uri") or one.get("uriTemplate") or one.get("name")): one for one in entries
    }

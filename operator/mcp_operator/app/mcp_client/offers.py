"""Reads everything that a server offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from mcp import Client
from mcp_types import PaginatedResult
from pydantic import BaseModel

from mcp_operator.app.mcp_client.describing import KINDS, Offer
from mcp_operator.core.errors import OperatorError

PAGES: Final = 1000
"""The most pages of one list; a list with more pages never ends."""


def wire(model: BaseModel) -> dict[str, Any]:
    """Return a message in its form on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def offer_of(client: Client, kinds: Sequence[str] = tuple(KINDS)) -> Offer:
    """Read the lists that a server's capabilities declare.

    Args:
        client: A connected client.
        kinds: The lists to read, by their names on the wire.

    Raises:
        OperatorError: A list has too many pages.
    """
    can = client.server_capabilities
    fetchers: dict[str, tuple[object, Callable[..., Awaitable[PaginatedResult]]]] = {
        "tools": (can.tools, client.list_tools),
        "prompts": (can.prompts, client.list_prompts),
        "resources": (can.resources, client.list_resources),
        "resourceTemplates": (can.resources, client.list_resource_templates),
    }
    entries = {}
    for kind in kinds:
        declared, fetch = fetchers[kind]
        entries[kind] = await _all(kind, fetch) if declared is not None else []
    server: dict[str, Any] = {
        "protocolVersion": client.protocol_version,
        "capabilities": wire(can),
    }
    if client.server_info is not None:
        server["serverInfo"] = wire(client.server_info)
    if client.instructions:
        server["instructions"] = client.instructions
    return Offer(server, entries)


async def _all(kind: str, fetch: Callable[..., Awaitable[PaginatedResult]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    for _ in range(PAGES):
        page = await fetch(cursor=cursor, cache_mode="bypass")
        found += wire(page)[kind]
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise OperatorError(f"the list of {kind} has more than {PAGES} pages, and does not end")

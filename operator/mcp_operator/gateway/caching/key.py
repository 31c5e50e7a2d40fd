"""Cache keys: everything that distinguishes two responses."""

from __future__ import annotations

import hashlib

from mcp_operator.api.caching import CachePolicy
from mcp_operator.api.catalog import JsonObject, ResourceEntry, ServerSettings, ToolEntry
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import Call


def tool_key(
    server: ServerSettings, tool: ToolEntry, policy: CachePolicy, arguments: JsonObject, call: Call
) -> str:
    """Return the key of a tool call's result."""
    return _key(server, tool, policy, call, [sorted(arguments.items(), key=lambda one: one[0])])


def resource_key(
    server: ServerSettings, entry: ResourceEntry, policy: CachePolicy, uri: str, call: Call
) -> str:
    """Return the key of a resource's content."""
    return _key(server, entry, policy, call, [uri])


def _key(
    server: ServerSettings,
    entry: ToolEntry | ResourceEntry,
    policy: CachePolicy,
    call: Call,
    asked: list[object],
) -> str:
    backend = entry.backend
    names = sorted({name.lower() for name in backend.forward_headers}) if backend else []
    parts = [
        [server.namespace, server.name, server.uid],
        [type(entry).__name__, hashlib.sha256(entry.canonical_json.encode()).hexdigest()],
        [policy.shared, "" if policy.shared else call.client],
        [[name, call.headers.get(name)] for name in names],
        call.capabilities if entry.response.native else {},
        asked,
    ]
    # A JSON list of lists is unambiguous: two different calls never have the same text.
    return hashlib.blake2b(exact.encode(parts), digest_size=24).hexdigest()

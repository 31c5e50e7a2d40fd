"""How long answers are kept: `spec.cache` of a server, and `cache` of a tool or resource."""

from __future__ import annotations

from mcp_operator.api import caching
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.caching import Cache


def compile_server_cache(server: MCPServer) -> caching.ServerCache | None:
    """Return what clients of a server may keep; None where it says nothing of it."""
    spec = server.spec.cache
    if spec is None:
        return None
    return caching.ServerCache(
        list_ttl_seconds=parse_duration(spec.lists.ttl) if spec.lists else 0.0,
        resources=compile_cache(spec.resources),
        in_redis=spec.storage == "Redis",
    )


def compile_cache(given: Cache | None) -> caching.CachePolicy | None:
    """Return how long answers are kept; None where they are not."""
    if given is None:
        return None
    ttl = parse_duration(given.ttl)
    return caching.CachePolicy(ttl_seconds=ttl, shared=given.scope == "Shared")

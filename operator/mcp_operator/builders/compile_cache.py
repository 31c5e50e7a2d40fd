"""Compiles how long answers are cached: a server's `spec.cache`, a tool's or resource's `cache`."""

from __future__ import annotations

from mcp_operator.api import caching
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.caching import Cache


def compile_server_cache(server: MCPServer) -> caching.ServerCache | None:
    """Return the cache settings of a server; None if it has none."""
    spec = server.spec.cache
    if spec is None:
        return None
    return caching.ServerCache(
        list_ttl_seconds=parse_duration(spec.lists.ttl) if spec.lists else 0.0,
        resources=compile_cache(spec.resources),
        in_redis=spec.storage == "Redis",
    )


def compile_cache(given: Cache | None) -> caching.CachePolicy | None:
    """Return how long answers are cached; None if they are not."""
    if given is None:
        return None
    ttl = parse_duration(given.ttl)
    return caching.CachePolicy(ttl_seconds=ttl, shared=given.scope == "Shared")

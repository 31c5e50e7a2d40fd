"""How long answers are kept."""

from __future__ import annotations

from typing import Literal

from mcp_operator.api.base import ApiModel
from mcp_operator.api.v1alpha1.common import Duration


class Cache(ApiModel):
    """How long an answer is kept, and for whom."""

    ttl: Duration
    """How long an answer is reused before the next request to the backend."""
    scope: Literal["Private", "Shared"] = "Private"
    """Private reuses an answer only for the same client. Shared reuses it for every client that can
    call the tool or read the resource; use it only for answers that do not depend on the client."""


class ListCache(ApiModel):
    """How long clients may keep lists."""

    ttl: Duration
    """How long a client of 2026-07-28 can cache a list. It can see a deleted tool for that long,
    unless it listens for changes."""


class ServerCache(ApiModel):
    """What clients can cache, and where the gateway caches answers."""

    lists: ListCache | None = None
    """Lists of tools, prompts and resources; clients cache none when left out."""
    resources: Cache | None = None
    """Contents of resources without a cache of their own: a hint for clients only; clients cache
    none when left out."""
    storage: Literal["Memory", "Redis"] = "Memory"
    """Where answers of tools and resources with a cache are stored: in the memory of each pod, or
    also in the Redis of the server, for all pods."""

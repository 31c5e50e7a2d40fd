"""How long answers are kept."""

from __future__ import annotations

from typing import Literal

from mcp_operator.api.base import ApiModel
from mcp_operator.api.v1alpha1.common import Duration


class Cache(ApiModel):
    """How long an answer is kept, and for whom."""

    ttl: Duration
    """How long an answer is given again before the backend is asked again."""
    scope: Literal["Private", "Shared"] = "Private"
    """Private keeps an answer for the client that it was given to. Shared gives it to every client
    that may ask for it: only for answers that do not depend on who asks."""


class ListCache(ApiModel):
    """How long clients may keep lists."""

    ttl: Duration
    """How long a client of 2026-07-28 may go without asking for a list again. A tool that is
    deleted stays known to it for as long, unless it listens for changes."""


class ServerCache(ApiModel):
    """What clients are told that they may keep, and where the gateway keeps answers."""

    lists: ListCache | None = None
    """Lists of tools, prompts and resources; clients keep none when left out."""
    resources: Cache | None = None
    """Contents of resources without a cache of their own: what clients are told, and no more;
    clients keep none when left out."""
    storage: Literal["Memory", "Redis"] = "Memory"
    """Where answers are kept of tools and resources that have a cache: in the memory of each pod,
    or also in the Redis of the server, for all pods."""

"""Invalid `cache` settings."""

from __future__ import annotations

from support.manifests import operation, server, tool, tools
from support.negatives.case import Negative

CACHING = [
    Negative(
        "a cache in mode Direct",
        server(image="example/server:1", cache={"lists": {"ttl": "1m"}}),
        "spec.cache",
        "in mode Direct, your own server caches answers",
    ),
    Negative(
        "a cache in Redis without redis",
        server(cache={"storage": "Redis"}),
        "spec.cache",
        "storage: Redis needs a Redis",
    ),
    Negative(
        "lists that are cached for zero seconds",
        server(cache={"lists": {"ttl": "0s"}}),
        "spec.cache.lists.ttl",
        "write a duration longer than zero",
    ),
    Negative(
        "a cache of a tool that is not read-only",
        tool(method="POST", cache={"ttl": "1m"}),
        "spec.cache",
        "set annotations.readOnlyHint to true if a call changes nothing",
    ),
    Negative(
        "an entry with a cache that is not read-only",
        tools({"name": "a", "path": "/a", "method": "PUT", "cache": {"ttl": "1m"}}),
        "spec.tools",
        "in an entry of tools, cache reuses an answer",
    ),
    Negative(
        "a cache without a time",
        tool(method="GET", cache={"scope": "Shared"}),
        "spec.cache.ttl",
        "Required value",
    ),
    Negative(
        "an unknown scope of a cache",
        tool(method="GET", cache={"ttl": "1m", "scope": "Team"}),
        "spec.cache.scope",
        'supported values: "Private", "Shared"',
    ),
    Negative(
        "content that is cached and watched",
        operation(cache={"ttl": "1m"}, subscribe={"interval": "5s"}),
        "spec.operations[0].cache",
        "set only one of cache and subscribe",
    ),
    Negative(
        "content that is watched with an interval of zero",
        operation(subscribe={"interval": "0s"}),
        "spec.operations[0].subscribe.interval",
        "write a duration longer than zero",
    ),
    Negative(
        "content that is cached for zero seconds",
        operation(cache={"ttl": "0s"}),
        "spec.operations[0].cache.ttl",
        "write a duration longer than zero",
    ),
]

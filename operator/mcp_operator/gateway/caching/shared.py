"""Caches responses in the Redis of a server, for all its gateways.

A Redis that cannot be reached counts as an empty cache.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import MISSING, ToolResult, Validators
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.scripts import Script, unless_away

MAX_VALUE: Final = 64 * 1024
"""Largest response in bytes that is kept in Redis; a larger one would delay the calls behind it."""

_GET: Final = Script("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}")


class Found(NamedTuple):
    """A response, with its validators, the seconds that it stays fresh, and its size in bytes."""

    value: Any
    validators: Validators
    seconds: float
    size: int


async def fetch(link: Link, key: str) -> Found | None:
    """Return a response, or None if Redis has none."""
    found = await unless_away(_GET.run(link, 1, link.key(f"answer:{key}")))
    if not isinstance(found, list) or not isinstance(found[0], bytes) or found[1] <= 0:
        return None
    try:
        kind, value, etag, modified = exact.loads(found[0].decode(), unfolded=True)
        decoded = _result(value) if kind == "tool" else tuple(value)
    except (TypeError, ValueError):
        return None  # a different release wrote it
    return Found(decoded, Validators(etag, modified), found[1] / 1000, len(found[0]))


def encoded(value: Any, validators: Validators) -> bytes:
    """Encode a response and its validators for Redis."""
    kind = "tool" if isinstance(value, ToolResult) else "resource"
    told = _told(value) if isinstance(value, ToolResult) else value
    return exact.encode([kind, told, validators.etag, validators.last_modified])


async def keep(link: Link, key: str, data: bytes, seconds: float) -> None:
    """Store an encoded response, unless it is too large."""
    if len(data) > MAX_VALUE:
        return
    milliseconds = max(1, int(seconds * 1000))
    await unless_away(link.call("SET", link.key(f"answer:{key}"), data, "PX", milliseconds))


def _told(result: ToolResult) -> list[Any]:
    structured = [] if result.structured is MISSING else [result.structured]
    return [result.content, structured, result.meta]


def _result(told: list[Any]) -> ToolResult:
    content, structured, meta = told
    return ToolResult(
        tuple(content), structured=structured[0] if structured else MISSING, meta=meta
    )

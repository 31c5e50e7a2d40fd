"""Answers in the Redis of a server, for all of its gateways. A Redis that is away has none."""

from __future__ import annotations

from typing import Any, Final

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import MISSING, ToolResult, Validators
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.scripts import Script, unless_away

MAX_VALUE: Final = 64 * 1024
"""Bytes of an answer that is kept in Redis: a larger one would hold up the calls behind it."""

_GET: Final = Script("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}")


async def fetch(link: Link, key: str) -> tuple[Any, Validators, float] | None:
    """Return an answer, what it can be checked with, and for how many seconds it is yet good."""
    found = await unless_away(_GET.run(link, 1, link.key(f"answer:{key}")))
    if not isinstance(found, list) or not isinstance(found[0], bytes) or found[1] <= 0:
        return None
    try:
        kind, value, etag, modified = exact.loads(found[0].decode(), unfolded=True)
        decoded = _result(value) if kind == "tool" else tuple(value)
    except (TypeError, ValueError):
        return None  # another release wrote it
    return decoded, Validators(etag, modified), found[1] / 1000


async def keep(link: Link, key: str, value: Any, validators: Validators, seconds: float) -> None:
    """Keep an answer, if it is not too large."""
    kind = "tool" if isinstance(value, ToolResult) else "resource"
    told = _told(value) if isinstance(value, ToolResult) else value
    data = exact.encode([kind, told, validators.etag, validators.last_modified])
    if len(data) > MAX_VALUE:
        return
    milliseconds = max(1, int(seconds * 1000))
    await unless_away(link.call("SET", link.key(f"answer:{key}"), data, "PX", milliseconds))


def _told(result: ToolResult) -> list[Any]:
    return [result.content, structured_of(result), result.meta]


def structured_of(result: ToolResult) -> list[Any]:
    """Return the structured content of a result as the only member of a list, empty for none."""
    return [] if result.structured is MISSING else [result.structured]


def _result(told: list[Any]) -> ToolResult:
    content, structured, meta = told
    return ToolResult(
        tuple(content), structured=structured[0] if structured else MISSING, meta=meta
    )

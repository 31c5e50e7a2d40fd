"""Answers in the Redis of a server, for all of its gateways. A Redis that is away has none."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import MISSING, ToolResult, Validators
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.scripts import Script, unless_away

MAX_VALUE: Final = 64 * 1024
"""Bytes of an answer that is kept in Redis: a larger one would hold up the calls behind it."""

_GET: Final = Script("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}")


class Found(NamedTuple):
    """An answer: what it can be checked with, for how long it is yet good, and how large it is."""

    value: Any
    validators: Validators
    seconds: float
    size: int


async def fetch(link: Link, key: str) -> Found | None:
    """Return an answer; None where there is none."""
    found = await unless_away(_GET.run(link, 1, link.key(f"answer:{key}")))
    if not isinstance(found, list) or not isinstance(found[0], bytes) or found[1] <= 0:
        return None
    try:
        kind, value, etag, modified = exact.loads(found[0].decode(), unfolded=True)
        decoded = _result(value) if kind == "tool" else tuple(value)
    except (TypeError, ValueError):
        return None  # another release wrote it
    return Found(decoded, Validators(etag, modified), found[1] / 1000, len(found[0]))


def encoded(value: Any, validators: Validators) -> bytes:
    """Return an answer as it is kept in Redis, and what it can be checked with."""
    kind = "tool" if isinstance(value, ToolResult) else "resource"
    told = _told(value) if isinstance(value, ToolResult) else value
    return exact.encode([kind, told, validators.etag, validators.last_modified])


async def keep(link: Link, key: str, data: bytes, seconds: float) -> None:
    """Keep an answer, encoded, if it is not too large."""
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

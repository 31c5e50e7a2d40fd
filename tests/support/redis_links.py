"""Links to a Redis, for tests."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from mcp_operator.api.catalog import Redis, SecretKey
from mcp_operator.core.meta import Key
from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.dial import Dialer
from mcp_operator.gateway.redis.link import RedisLink
from mcp_operator.gateway.upstream.secret_values import SecretUnavailable
from support.waiting import HANG_SECONDS, eventually


@dataclass
class Shared:  # a `HasLink`
    """Provides the link of a test, or None."""

    link: Link | None


class Values:  # a `SecretSource`
    """Values of Secrets that a test can change; records distrusted keys."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.distrusted: list[str] = []

    async def value(self, key: SecretKey) -> bytes:
        if key.key not in self.values:
            raise SecretUnavailable(f"Secret {Key(key.namespace, key.name)} has no key {key.key!r}")
        return self.values[key.key].encode("utf-8", "surrogateescape")

    def distrust(self, key: SecretKey) -> None:
        self.distrusted.append(key.key)


def secret(key: str) -> SecretKey:
    return SecretKey(namespace="demo", name="redis", key=key)


class Links:
    """Creates links, and stops them after the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    def start(
        self,
        port: int,
        values: Values | None = None,
        *,
        patient: bool = True,
        host: str = "127.0.0.1",
        loopback: bool = True,
        **settings: Any,
    ) -> RedisLink:
        """Connect a link; a patient one has timeouts long enough for a busy machine."""
        dialer = Dialer({}, loopback=loopback)
        given: dict[str, Any] = {"host": host, "port": port, "keys": "test:{mcp:demo/shop}:"}
        patience = {"call_seconds": HANG_SECONDS} if patient else {}
        redis = Redis(**given | settings)
        link = RedisLink(redis, dialer, values or Values(), **patience)
        link.start()
        self._stack.push_async_callback(dialer.close)
        self._stack.push_async_callback(link.stop)
        return link


async def until_up(link: RedisLink) -> None:
    async def is_up() -> bool:
        return link.is_up

    await eventually(is_up, expected=True)


async def until_away(link: RedisLink, *reasons: str) -> None:
    """Wait until a link reports Redis as unavailable for one of the given reasons."""

    async def away() -> bool | str:
        return not link.is_up and (any(each in link.problem for each in reasons) or link.problem)

    await eventually(away, expected=True)

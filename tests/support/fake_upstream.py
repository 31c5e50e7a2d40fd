"""Backends and Secrets whose responses and values a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mcp_operator.api.catalog import SecretKey
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.client import Tls
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.reading import UNLIMITED, StreamLimits
from mcp_operator.gateway.upstream.secret_values import SecretUnavailable

CANARY = b"canary-8c1f3a-secret"

Reply = Answer | Exception | None


def fields(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the headers of a request, with their names as written."""
    lines = [line.decode("ascii").removesuffix("\r\n") for line in request.headers.values()]
    return tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))


class FakeUpstream:
    """Answers with `reply`; never responds for the hosts in `hung`, or if the reply is None."""

    def __init__(self, reply: Reply = None, hung: frozenset[str] = frozenset()) -> None:
        self.reply, self.hung = reply, hung
        self.sent: list[tuple[Request, Tls, int]] = []
        self.cancelled = 0

    async def send(
        self, request: Request, tls: Tls, max_bytes: int, stream: StreamLimits = UNLIMITED
    ) -> Answer:
        self.sent.append((request, tls, max_bytes))
        if self.reply is None or request.host in self.hung:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        assert self.reply
        return self.reply

    @property
    def headers(self) -> dict[str, str]:
        return dict(fields(self.sent[-1][0]))


class FakeSecrets:
    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self.values = {"token": CANARY} if values is None else dict(values)
        self.distrusted: list[SecretKey] = []

    async def value(self, key: SecretKey) -> bytes:
        if key.key not in self.values:
            raise SecretUnavailable(f"Secret {key.namespace}/{key.name} has no key {key.key!r}")
        return self.values[key.key]

    def distrust(self, key: SecretKey) -> None:
        self.distrusted.append(key)

"""Relays clients' answers between gateways through Redis, to the gateway that sent the request.

A client posts its answers on any connection, and a Service routes each to any replica. For each
request to a client, the gateway stores a mark in Redis. A gateway that receives an answer replaces
the mark with it, and the first gateway polls for it. Answers are encrypted, so that Redis can
neither read nor forge them. Without a Redis, or while it cannot be reached, an answer counts only
if it reaches the gateway that sent the request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic_core import from_json

from mcp_operator.gateway.protocol import jsonrpc
from mcp_operator.gateway.protocol.jsonrpc import Reply
from mcp_operator.gateway.redis.contract import HasLink, Link
from mcp_operator.gateway.redis.scripts import Script, unless_away
from mcp_operator.gateway.root_key import RootKey

MAX_RELAYED: Final = 64 * 1024
"""Bytes of one answer, so that Redis can transfer it within the time limit of a call."""

BATCH: Final = 100
"""Requests that are handled in one batch."""

ANSWER_SECONDS: Final = 30
"""How long an answer is kept for the gateway that asked, which polls several times per second."""

_PURPOSE: Final = b"mcp-operator relayed answer 1"

_PUT: Final = Script(
    """
if redis.call('GET', KEYS[1]) ~= '' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
)
"""Replaces the mark of a request with the answer, once."""

_TAKE: Final = Script(
    """
local found = redis.call('MGET', unpack(KEYS))
for n, value in ipairs(found) do
  if value and value ~= '' then redis.call('DEL', KEYS[n]) end
end
return found
"""
)
"""Returns the values of marks, and deletes the answers."""


class Asked(NamedTuple):
    """A request to a client: the session that can answer it, and its id."""

    session: str
    id: str

    @property
    def name(self) -> str:
        """Its name in Redis, which does not reveal the session."""
        text = f"{self.session}\n{self.id}".encode()
        return f"ask:{hashlib.blake2b(text, digest_size=16).hexdigest()}"


class Relay:
    """Exchanges clients' answers with the other gateways of a server."""

    def __init__(self, redis: HasLink | None, root: RootKey) -> None:
        """Set up.

        Args:
            redis: Holds the connection to the Redis of the server, if the server has one.
            root: The key that all gateways of the server share.
        """
        self._redis = redis
        self._root = root

    @property
    def link(self) -> Link | None:
        """The connection to Redis, or None if the server has no Redis."""
        return self._redis.link if self._redis else None

    async def expect(self, requests: Iterable[Asked], seconds: float) -> None:
        """Store a mark for each request.

        Args:
            requests: The requests that will be sent.
            seconds: How long answers are expected.
        """
        link = self.link
        if link is None:
            return
        for asked in requests:
            mark = link.call("SET", link.key(asked.name), "", "EX", int(seconds) + 1)
            await unless_away(mark)

    async def put(self, asked: Asked, reply: Reply, size: int) -> None:
        """Store an answer, if another gateway waits for it.

        Args:
            asked: The request that it answers, according to the client.
            reply: The answer.
            size: Its size in bytes.
        """
        link, key = self.link, self._root.derive(_PURPOSE)
        if link is None or key is None:
            return
        from mcp_operator.gateway.protocol.sealing import seal  # noqa: PLC0415 - takes memory

        said = [reply.result, reply.error]
        if size > MAX_RELAYED:
            said = [None, {"message": f"its response has more than {MAX_RELAYED} bytes"}]
        sealed = seal(key, jsonrpc.encode(said), asked.name.encode())
        await unless_away(_PUT.run(link, 1, link.key(asked.name), sealed, ANSWER_SECONDS))

    async def take(self, waiting: Sequence[Asked]) -> list[tuple[Asked, Reply, int]]:
        """Return the answers to requests that have arrived, with their sizes in bytes."""
        link, key = self.link, self._root.derive(_PURPOSE)
        if link is None or key is None:
            return []
        taken = []
        for first in range(0, len(waiting), BATCH):
            some = waiting[first : first + BATCH]
            names = [link.key(asked.name) for asked in some]
            found = await unless_away(_TAKE.run(link, len(names), *names))
            for asked, value in zip(some, found or (), strict=False):
                reply = _opened(key, asked, value) if value else None
                if reply is not None:
                    taken.append((asked, reply, len(value)))
        return taken


def _opened(key: bytes, asked: Asked, value: bytes) -> Reply | None:
    """Decrypt an answer; None unless it was encrypted with this key for this request."""
    from mcp_operator.gateway.protocol.sealing import unseal  # noqa: PLC0415 - takes memory

    plain = unseal(key, value.decode("ascii", "replace"), asked.name.encode())
    if plain is None:
        return None
    result, error = from_json(plain)
    return Reply(asked.id, result, error)

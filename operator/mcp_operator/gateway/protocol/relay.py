"""Answers of clients that reach another gateway than the one that asked, by way of their Redis.

A client posts its answers on any connection, and a Service gives each to any replica. The gateway
that asks leaves a mark in Redis for each request; one that gets an answer to a mark puts it there;
the first looks for it. Answers are sealed: Redis neither learns nor invents what users say. Without
a Redis, or while it is away, an answer has to reach the gateway that asked.
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
"""Bytes of one answer: Redis hands it on within the time that a call of it may take."""

BATCH: Final = 100
"""Requests that are handled in one batch."""

ANSWER_SECONDS: Final = 30
"""How long an answer waits for the gateway that asked, which looks several times in a second."""

_PURPOSE: Final = b"mcp-operator relayed answer 1"

_PUT: Final = Script(
    """
if redis.call('GET', KEYS[1]) ~= '' then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
)
"""Puts an answer where its request has left a mark, once."""

_TAKE: Final = Script(
    """
local found = redis.call('MGET', unpack(KEYS))
for n, value in ipairs(found) do
  if value and value ~= '' then redis.call('DEL', KEYS[n]) end
end
return found
"""
)
"""Returns what stands at marks, and removes the answers."""


class Asked(NamedTuple):
    """A request to a client: the session that may answer it, and its id."""

    session: str
    id: str

    @property
    def name(self) -> str:
        """What stands for it in Redis, and tells nothing of the session."""
        text = f"{self.session}\n{self.id}".encode()
        return f"ask:{hashlib.blake2b(text, digest_size=16).hexdigest()}"


class Relay:
    """What gateways of a server hand to each other."""

    def __init__(self, redis: HasLink | None, root: RootKey) -> None:
        """Set up.

        Args:
            redis: Has the link to the Redis of the server, where it has one.
            root: What all gateways of the server share.
        """
        self._redis = redis
        self._root = root

    @property
    def link(self) -> Link | None:
        """The link to the Redis; None where the server has none."""
        return self._redis.link if self._redis else None

    async def expect(self, requests: Iterable[Asked], seconds: float) -> None:
        """Leave marks.

        Args:
            requests: What will be asked.
            seconds: How long answers are waited for.
        """
        link = self.link
        if link is None:
            return
        for asked in requests:
            mark = link.call("SET", link.key(asked.name), "", "EX", int(seconds) + 1)
            await unless_away(mark)

    async def put(self, asked: Asked, reply: Reply, size: int) -> None:
        """Hand an answer on, if another gateway waits for it.

        Args:
            asked: What it is an answer to, as the client says.
            reply: The answer.
            size: Its bytes.
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
        """Return the answers that have come for requests, with their bytes."""
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
    """Return a sealed answer; None where nobody who has the key sealed it for that request."""
    from mcp_operator.gateway.protocol.sealing import unseal  # noqa: PLC0415 - takes memory

    plain = unseal(key, value.decode("ascii", "replace"), asked.name.encode())
    if plain is None:
        return None
    result, error = from_json(plain)
    return Reply(asked.id, result, error)

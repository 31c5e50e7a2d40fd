"""Commands and scripts for Redis, as those who keep something there need them."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any

from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.errors import RedisAwayError, UnknownScriptError


class Script:
    """A script that Redis runs by its digest, and is sent the text of only where it is unknown."""

    def __init__(self, text: str) -> None:
        """Take in the text, which is Lua."""
        self.text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, link: Link, *given: Any) -> Any:
        """Run it.

        Args:
            link: The Redis.
            given: The number of keys, the keys, and the arguments.

        Raises:
            RedisAwayError: Redis does not answer.
        """
        try:
            return await link.call("EVALSHA", self._digest, *given)
        except UnknownScriptError:  # Redis is new, or was wiped
            return await link.call("EVAL", self.text, *given)


async def unless_away(reply: Awaitable[Any]) -> Any:
    """Return what Redis replies; None while it is away."""
    try:
        return await reply
    except RedisAwayError:
        return None

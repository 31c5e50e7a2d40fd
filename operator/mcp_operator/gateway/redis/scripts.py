"""Helpers for commands and scripts of Redis."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from typing import Any

from mcp_operator.gateway.redis.contract import Link
from mcp_operator.gateway.redis.errors import RedisAwayError, UnknownScriptError


class Script:
    """A Lua script, called by its digest; its text is sent only if Redis does not have it."""

    def __init__(self, text: str) -> None:
        """Take the text of the script, in Lua."""
        self.text = text
        self._digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, link: Link, *given: Any) -> Any:
        """Run the script.

        Args:
            link: The connection to Redis.
            given: The number of keys, the keys, and the arguments.

        Raises:
            RedisAwayError: Redis does not reply.
        """
        try:
            return await link.call("EVALSHA", self._digest, *given)
        except UnknownScriptError:  # a new Redis, or its scripts were flushed
            return await link.call("EVAL", self.text, *given)


async def unless_away(reply: Awaitable[Any]) -> Any:
    """Return the reply of Redis, or None while it is unavailable."""
    try:
        return await reply
    except RedisAwayError:
        return None

"""Creates the Secret with each gateway's key, and never reads it.

The operator neither watches, reads nor changes the Secret, so that it needs no further permissions
on Secrets. It creates the Secret when a server gets the Role that lets its pods read it, and
whenever a pod says that it has no key. If the Secret exists, this changes nothing.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.keys import ROOT_KEY_BYTES
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.resources import SECRETS
from mcp_operator.builders.secret import build_keys
from mcp_operator.core.meta import Key, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError

RETRY_SECONDS: Final = 30.0
"""Seconds between attempts. A gateway reads a new Secret with a delay, and lacks a key until then.
"""


@dataclass(slots=True)
class _Tried:
    """The last attempt to create the Secret of one server.

    Attributes:
        uid: The UID of the server.
        at: When it was made, in the loop's time; -infinity if it can be repeated at once.
        problem: Why there is no Secret; empty if there is one.
    """

    uid: str
    at: float
    problem: str = ""


class ServerKeys:
    """Creates the Secrets.

    Args:
        client: Creates them.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tried: dict[Key, _Tried] = {}

    def forget(self, server: Key) -> None:
        """Drop the state of a deleted server."""
        self._tried.pop(server, None)

    async def ensure(self, server: MCPServer, context: BuildContext, *, needed: bool) -> str:
        """Create the Secret of a server, if it is needed or could not be created before.

        Args:
            server: The server, in mode Gateway.
            context: Which labels and annotations of the server the Secret gets.
            needed: Whether it may be missing: the server is new, or a pod says that it has no key.

        Returns:
            Why there is no Secret; empty if there is one, whoever created it.

        Raises:
            ApiError: The Secret could not be created: a retry may succeed, or the namespace is
                being deleted.
        """
        key, uid = Key(server.namespace, server.name), server.metadata["uid"]
        now = asyncio.get_running_loop().time()
        known = self._tried.get(key)
        if known is None or known.uid != uid:
            known = _Tried(uid, -math.inf)
        wanted = needed or known.problem
        if not wanted or now - known.at < RETRY_SECONDS:
            return known.problem
        secret = build_keys(server, context, secrets.token_bytes(ROOT_KEY_BYTES))
        try:
            await self._client.create(SECRETS, secret)
        except ApiError as error:
            problem = f"Secret {key_of(secret)} cannot be made: {error}"
            if error.is_retryable and not error.is_already_exists:
                self._tried[key] = _Tried(uid, -math.inf, problem)
                raise
            if error.is_namespace_terminating:
                raise
            self._tried[key] = _Tried(uid, now, "" if error.is_already_exists else problem)
        else:
            self._tried[key] = _Tried(uid, now)
        return self._tried[key].problem

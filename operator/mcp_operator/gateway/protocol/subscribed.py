"""The subscriptions of legacy sessions that this process knows, limited in total and per client.

A session can end without notice, so subscriptions do not expire here. When there is no room, the
oldest session is dropped, and its client misses notifications, which MCP does not guarantee.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.subscriptions import MAX_SUBSCRIBED_URIS, check_uri
from mcp_operator.gateway.shares import Shares

MAX_BYTES: Final = 16 * 1024 * 1024
"""Approximate bytes of all subscriptions."""

ENTRY_BYTES: Final = 128
"""Bytes of a subscription in addition to its URI, and of a session without its subscriptions."""


class Subscribed:
    """The URIs that each session has subscribed to."""

    def __init__(self, total: int = MAX_BYTES) -> None:
        """Set up.

        Args:
            total: Maximum bytes of all subscriptions.
        """
        self._shares = Shares(total)
        self._sessions: OrderedDict[str, tuple[str, set[str]]] = OrderedDict()
        """The client and the URIs of each session, the one that subscribed first at the front."""

    def open(self, session: str, client: str) -> set[str]:
        """Add a session if it is new; returns the live set of its subscriptions."""
        if session not in self._sessions:
            self._take(session, client, ENTRY_BYTES)
            self._sessions[session] = client, set()
        return self._sessions[session][1]

    def add(self, session: str, client: str, uri: str) -> None:
        """Subscribe a session to a resource.

        Raises:
            RpcError: The URI is too long, or there are too many subscriptions.
        """
        check_uri(uri)
        uris = self.open(session, client)
        if uri in uris:
            return
        if len(uris) >= MAX_SUBSCRIBED_URIS:
            problem = f"A session can subscribe to at most {MAX_SUBSCRIBED_URIS} resources"
            raise RpcError(spec.INVALID_PARAMS, problem)
        self._take(session, self._sessions[session][0], _cost(uri))
        uris.add(uri)

    def discard(self, session: str, uri: str) -> None:
        """Unsubscribe a session from one resource."""
        client, uris = self._sessions.get(session, ("", set()))
        if uri in uris:
            uris.discard(uri)
            self._shares.give_back(client, _cost(uri))

    def forget(self, session: str) -> None:
        """Forget a session."""
        client, uris = self._sessions.pop(session, ("", None))
        if uris is not None:
            self._shares.give_back(client, ENTRY_BYTES + sum(map(_cost, uris)))
            uris.clear()  # a stream of the session can still hold this set

    def clear(self) -> None:
        """Forget every session."""
        for session in tuple(self._sessions):
            self.forget(session)

    def _take(self, session: str, client: str, amount: int) -> None:
        """Make room by dropping the client's own oldest session, or one of the largest client."""
        while not self._shares.take(client, amount):
            own = self._shares.holds(client) + amount > self._shares.each
            owner = client if own else self._shares.heaviest
            oldest = next(
                (key for key, (of, _) in self._sessions.items() if of == owner and key != session),
                None,
            )
            if oldest is None:
                raise RpcError(
                    spec.OVERLOADED,
                    "This server has too many subscriptions; try again later",
                    status=503,
                    retry_after=5,
                )
            self.forget(oldest)


def _cost(uri: str) -> int:
    return ENTRY_BYTES + 4 * len(uri)

"""Event streams that notify clients of changes to the catalog.

A notification only means "fetch again", so equal notifications that wait for a slow client are
merged. The number of waiting notifications is therefore limited by the number of subscriptions, and
queues cannot overflow. The front disconnects clients that stop reading.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.policy.access import Seen
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, KEEP_ALIVE_SECONDS, frame
from mcp_operator.gateway.shares import Shares
from mcp_operator.gateway.table import Changes, Current

MAX_STREAMS: Final = 1024
"""Open streams per process; an idle one takes about 20 KiB."""

MAX_SUBSCRIBED_URIS: Final = 1000
"""Resources that one stream or session can subscribe to."""

MAX_URI: Final = 2048
"""Characters of a URI that can be subscribed to; proxies do not forward longer ones either."""

MAX_URI_BYTES: Final = 16 * 1024 * 1024
"""Approximate bytes of the URIs that open streams subscribe to."""


def check_uri(uri: str) -> None:
    """Reject a URI that is too long to be stored.

    Raises:
        RpcError: The URI is too long.
    """
    if len(uri) > MAX_URI:
        problem = f"A resource whose URI is longer than {MAX_URI} cannot be subscribed to"
        raise RpcError(spec.INVALID_PARAMS, problem)


class Event(NamedTuple):
    """A change of a list, or of the resource with this `uri`."""

    method: str
    uri: str = ""

    def params(self) -> JsonObject:
        """Return the notification's parameters."""
        return {"uri": self.uri} if self.uri else {}


@dataclass(frozen=True, slots=True)
class Wants:
    """What a client subscribed to; `uris` can be a live set."""

    tools: bool = False
    prompts: bool = False
    resources: bool = False
    uris: AbstractSet[str] = frozenset()

    def select(self, changes: Changes) -> Iterator[Event]:
        """Yield the events of a change that this client subscribed to."""
        if changes.tools and self.tools:
            yield Event("notifications/tools/list_changed")
        if changes.prompts and self.prompts:
            yield Event("notifications/prompts/list_changed")
        if changes.resources and self.resources:
            yield Event("notifications/resources/list_changed")
        for uri in sorted(changes.resource_uris & self.uris):
            yield Event("notifications/resources/updated", uri)


class Feed(Protocol):
    """A source of notifications for one stream, other than changes of the catalog."""

    async def message(self, name: str) -> bytes | None:
        """Return a notification with the current state of something, or None if there is none."""
        ...

    def close(self) -> None:
        """Release its resources."""
        ...


class Subscription:
    """One open stream: the frames that its HTTP response sends."""

    def __init__(
        self,
        hub: Hub,
        wants: Wants,
        encode: Callable[[Event], bytes],
        *,
        client: str = "",
        principal: Principal = ANONYMOUS,
        weight: int = 0,
        first: bytes = b"",
        last: bytes = b"",
        until: float | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._hub = hub
        self._wants = wants
        self._encode = encode
        self._first = first
        self._last = last
        self._until = until
        self._pending: dict[Event, None] = {}
        self._feed: Feed | None = None
        self._fed: dict[str, None] = {}
        """Names that the feed has news about."""
        self.client, self.principal, self.weight = client, principal, weight
        self.headers = headers
        self._ended = False
        self._wake = asyncio.Event()

    @property
    def uris(self) -> AbstractSet[str]:
        """The resources that it subscribes to."""
        return self._wants.uris

    def offer(self, changes: Changes) -> None:
        """Queue the events of a change, of which `changes` has only what the client can see."""
        events = dict.fromkeys(self._wants.select(changes))
        if events and not self._ended:
            self._pending.update(events)
            self._wake.set()

    def attach(self, feed: Feed) -> None:
        """Add a feed, whose notifications are sent on this stream too."""
        self._feed = feed

    def offer_fed(self, name: str) -> None:
        """Note that the feed has news about a name."""
        if not self._ended:
            self._fed[name] = None
            self._wake.set()

    def end(self) -> None:
        """End the stream cleanly after the pending events; nothing more is sent."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame, or a keep-alive before a proxy closes the idle connection."""
        if self._first:
            first, self._first = self._first, b""
            return frame(first)
        if not self._pending and not self._fed and not self._ended and not self._is_over():
            self._wake.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                return KEEP_ALIVE
        if self._pending:
            event = next(iter(self._pending))
            del self._pending[event]
            return frame(self._encode(event))
        while self._fed and self._feed is not None:
            name = next(iter(self._fed))
            del self._fed[name]
            message = await self._feed.message(name)
            if message is not None:
                return frame(message)
        if not self._ended and not self._is_over():
            return KEEP_ALIVE
        if self._last:
            last, self._last = self._last, b""
            return frame(last)
        raise StopAsyncIteration

    def _is_over(self) -> bool:
        return self._until is not None and asyncio.get_running_loop().time() >= self._until

    async def aclose(self) -> None:
        """Stop listening."""
        if self._feed is not None:
            self._feed.close()
        self._hub.discard(self)


class Hub:
    """All open streams of this process, which get the changes of the catalog."""

    def __init__(self, current: Current) -> None:
        self._current = current
        self._streams: dict[Subscription, None] = {}
        self._places = Shares(MAX_STREAMS)
        self._weights = Shares(MAX_URI_BYTES)
        self._closing = False
        current.subscribe(self._publish)

    @property
    def streams(self) -> Collection[Subscription]:
        """The open streams."""
        return self._streams.keys()

    @property
    def open_streams(self) -> int:
        """The number of open streams."""
        return len(self._streams)

    def open(
        self,
        wants: Wants,
        encode: Callable[[Event], bytes],
        *,
        client: str = "",
        principal: Principal = ANONYMOUS,
        first: bytes = b"",
        last: bytes = b"",
        until: float | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Subscription:
        """Open a stream.

        Args:
            wants: What the client asked for.
            encode: Turns an event into the era's notification.
            client: The client, for limits that clients share.
            principal: The client, for rules about what it can see.
            first: A message before all events, if any.
            last: A message that tells the client that the server ended the stream, if any.
            until: When it must end, in the loop's time; it ends up to `KEEP_ALIVE_SECONDS` later.
                None for never.
            headers: The client's headers that backends get when they are polled for this stream.

        Raises:
            RpcError: 503, too many streams are open, in total or by this client, or the server is
                stopping.
        """
        weight = sum(4 * len(uri) for uri in wants.uris)
        if self._closing or not self._take(client, weight):
            raise RpcError(
                spec.OVERLOADED,
                "This server has too many open event streams; try again later",
                status=503,
                retry_after=5,
            )
        stream = Subscription(
            self,
            wants,
            encode,
            client=client,
            principal=principal,
            weight=weight,
            first=first,
            last=last,
            until=until,
            headers=headers,
        )
        self._streams[stream] = None
        return stream

    def discard(self, stream: Subscription) -> None:
        """Remove a stream; does nothing if it is already removed."""
        if stream in self._streams:
            del self._streams[stream]
            self._places.give_back(stream.client)
            self._weights.give_back(stream.client, stream.weight)

    def _take(self, client: str, weight: int) -> bool:
        if not self._places.take(client):
            return False
        if not self._weights.take(client, weight):
            self._places.give_back(client)
            return False
        return True

    def close(self) -> None:
        """End every stream cleanly, and open no new ones."""
        self._closing = True
        self.end_all()

    def end_all(self) -> None:
        """End every stream cleanly; clients can open new ones."""
        for stream in tuple(self._streams):
            stream.end()

    def _publish(self, changes: Changes) -> None:
        if changes:
            auth = self._current.server.auth
            seen = Seen(changes, auth.rules if auth is not None else ())
            for stream in self._streams:
                stream.offer(seen.by(stream.principal))

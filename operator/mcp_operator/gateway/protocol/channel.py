"""Messages to a client before the response to its request, as server-sent events.

A response is one JSON document, unless a message precedes it or it takes long. Then a stream
begins, and the response is its last event (basic/transports of both eras). The client must accept
`text/event-stream`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import lru_cache
from math import inf
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import LogLevel
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.protocol import jsonrpc, spec
from mcp_operator.gateway.protocol.jsonrpc import Request, RpcError
from mcp_operator.gateway.protocol.log_levels import SEVERITY
from mcp_operator.gateway.protocol.message import (
    KEEP_ALIVE,
    KEEP_ALIVE_SECONDS,
    HttpRequest,
    HttpResponse,
    HttpStream,
    frame,
)
from mcp_operator.gateway.protocol.patience import PATIENCE_SECONDS, Patience

MAX_WAITING: Final = 256 * 1024
"""Bytes that can wait for a slow client before its log messages are dropped."""

MAX_MESSAGE: Final = 1000
"""Characters of a progress notification's message, which clients show on one line."""

WAITING: Final = "Waiting for the backend"
"""The progress message that only tells the client that its request is still in progress."""

_PROGRESS: Final = object()


class Channel:
    """Sends messages to the client of one request before its response; a `Listener`.

    It costs little if there are no messages.
    """

    __slots__ = (
        *("_begin", "_heard", "_id", "_patience", "_response", "_severity", "_shown"),
        *("_stream", "_timer", "_token", "_waited"),
    )

    def __init__(
        self,
        http: HttpRequest,
        request: Request,
        patience: Patience,
        level: LogLevel | None = None,
    ) -> None:
        """Set up a channel.

        Args:
            http: The HTTP request that carries the request.
            request: The request.
            patience: Reports when the client has waited long.
            level: The lowest severity of log messages that the client wants; None for none.
        """
        meta = request.params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, dict) else None
        self._id = request.id
        self._patience = patience
        self._begin = http.begin if accepts_events(http.headers.get("accept", "")) else None
        self._token = token if jsonrpc.is_short_id(token) else None
        self._severity = len(SEVERITY) if level is None else SEVERITY[level]
        self._stream: _Frames | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = False
        self._waited = 0
        self._shown = -inf

    @property
    def can_tell(self) -> bool:
        """Whether messages can reach the client before the response."""
        return self._begin is not None and not (self._stream is not None and self._stream.is_over)

    async def answered(self, answering: Awaitable[HttpResponse]) -> HttpResponse | HttpStream:
        """Await the response to the request; if a stream has begun, end it with the response.

        JSON-RPC errors become responses.

        Raises:
            Refusal: The request is refused, and no stream has begun.
        """
        if self._begin is not None:
            self._patience.watch(self)
        try:
            answer = await answering
        except RpcError as error:
            answer = jsonrpc.failure(self._id, error)
        except Refusal as refusal:
            if self._stream is None:
                self._end()
                raise
            answer = jsonrpc.failure(self._id, RpcError(spec.REFUSED, str(refusal)))
        except BaseException:  # the client disconnected
            self._end()
            raise
        return self._end(answer) or answer

    def _end(self, answer: HttpResponse | None = None) -> HttpStream | None:
        """Stop sending; return the stream if one has begun, with the response as its last event."""
        self._patience.forget(self)
        self._begin = None
        if self._stream is None:
            return None
        if self._timer is not None:
            self._timer.cancel()
        self._stream.end(frame(answer.body) if answer is not None else b"")
        return self._response

    def progress(self, value: float, total: float | None = None, message: str = "") -> None:
        """Report the progress of the request."""
        self._heard = True
        if total is not None:
            total += self._waited
        self._progress(value + self._waited, total, message)

    def log(self, level: LogLevel, data: Any, logger: str = "") -> None:
        """Report an event."""
        if SEVERITY[level] < self._severity or not self.can_tell:
            return
        params: JsonObject = {"level": level, "data": data}
        if logger:
            params["logger"] = logger
        message = jsonrpc.notification("notifications/message", params)
        if self._stream is None or self._stream.size + len(message) <= MAX_WAITING:
            self.send(message)

    def send(self, message: bytes) -> None:
        """Send a message to the client if that is possible.

        Args:
            message: An encoded request or notification. It is never dropped, however slowly the
                client reads, so the caller must limit how many wait.
        """
        if (stream := self._open()) is not None:
            stream.put(object(), frame(message))

    def _progress(self, value: float, total: float | None, message: str) -> None:
        if self._token is None or value <= self._shown or (stream := self._open()) is None:
            return
        self._shown = value
        params: JsonObject = {"progressToken": self._token, "progress": value}
        if total is not None:
            params["total"] = total
        if message:
            params["message"] = message[:MAX_MESSAGE]
        stream.put(_PROGRESS, frame(jsonrpc.notification("notifications/progress", params)))

    def reassure(self) -> None:
        """Tell the client that the request is still in progress, now and at intervals.

        Progress resets the timeout of clients. This progress counts seconds. Progress values must
        increase, so the seconds are added to the values that the backend reports later.
        """
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(KEEP_ALIVE_SECONDS, self.reassure)
        if self._token is not None and not self._heard:
            self._waited += round(KEEP_ALIVE_SECONDS if self._waited else PATIENCE_SECONDS)
            self._progress(self._waited, None, WAITING)
        elif (stream := self._open()) is not None and not stream.size:
            stream.put(_PROGRESS, KEEP_ALIVE)

    def _open(self) -> _Frames | None:
        """Return the stream, opened if necessary; None if the client does not accept messages."""
        if self._begin is None:
            return None
        if self._stream is None:
            self._stream = _Frames()
            self._response = HttpStream(self._stream)
            self._begin(self._response)
        return None if self._stream.is_over else self._stream


class _Frames:
    """The frames of one response, until it ends or the client disconnects."""

    def __init__(self) -> None:
        self._waiting: dict[object, bytes] = {}
        self._last: bytes | None = None
        self._wake = asyncio.Event()
        self.size = 0
        self.is_over = False

    def put(self, key: object, one: bytes) -> None:
        """Queue a frame; it replaces a queued frame with the same key."""
        self.size += len(one) - len(self._waiting.pop(key, b""))
        self._waiting[key] = one
        self._wake.set()

    def end(self, last: bytes) -> None:
        """Send the queued frames, then a last one unless it is empty, and end the stream."""
        self._last = last
        self.is_over = True
        self._wake.set()

    def __aiter__(self) -> _Frames:
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame. Has no timeout, because `reassure` adds frames regularly."""
        while not self._waiting and not self.is_over:
            self._wake.clear()
            await self._wake.wait()
        if self._waiting:
            one = self._waiting.pop(next(iter(self._waiting)))
            self.size -= len(one)
            return one
        if self._last:
            last, self._last = self._last, b""
            return last
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Drop all frames: the client has read all of them, or has disconnected."""
        self._waiting.clear()
        self._last, self.is_over = b"", True


@lru_cache(maxsize=64)  # of up to 8 KiB each
def accepts_events(accept: str) -> bool:
    """Tell whether a client accepts server-sent events; `*/*` alone means the default, JSON."""
    return "text/event-stream" in accept.lower()

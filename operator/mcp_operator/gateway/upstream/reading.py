"""Reads one response: all of it, or the requested part of a stream, but never over its limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from mcp_operator.api import places
from mcp_operator.gateway.upstream.answer import Answer, status_line
from mcp_operator.gateway.upstream.compression import CompressionError, decompress
from mcp_operator.gateway.upstream.pool.reply import Reply
from mcp_operator.gateway.upstream.telling import LOG, PROGRESS, RESULT, parsed
from mcp_operator.gateway.upstream.text import EVENT_STREAM, JSON_LINE_TYPES, RESULT_TYPE

_EVENT_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")  # HTML standard, server-sent events
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_DATA_LINE: Final = re.compile(rb"(?:^|[\r\n])data")
"""Found in events, but not in comments that only keep the connection open."""


class TooLargeError(Exception):
    """A response is larger than its limit, and a part of it would be useless."""

    def __init__(self, status: int, max_bytes: int) -> None:
        line = status_line(Answer(status, "", b""))
        super().__init__(f"{line}, but its answer is larger than {max_bytes} bytes.")


class BrokenOffError(ConnectionError):
    """The connection broke within a response; its status still tells what the backend did."""

    def __init__(self, status: int, received: int) -> None:
        line = status_line(Answer(status, "", b""))
        super().__init__(f"{line}, but its answer ended after {received} bytes.")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits after which reading a stream stops.

    Attributes:
        max_events: Events, or lines if it is not an event stream; None for no limit.
        max_seconds: Time since the head of the response; None for no limit.
        any_type: Whether every response counts as a stream, whatever its type is.
        media_type: A type that overrides that of the response; empty for none.
        tell: Takes the name and the data of each event that is not part of the response (see
            `telling`); None if events have no such meaning.
        deadline: When the call is cancelled, in the event loop's time; None for never. A cancelled
            reader can tell by this whether the deadline was the reason.
    """

    max_events: int | None = None
    max_seconds: float | None = None
    any_type: bool = False
    media_type: str = ""
    tell: Callable[[str, str], None] | None = None
    deadline: float | None = None


UNLIMITED: Final = StreamLimits()


class _Body:
    """The part of a body that has arrived, and the number of events in it.

    Attributes:
        data: The part of it that is kept.
        result: The result in an event, which replaces `data`; None if there was none.
        has_told: Whether events were forwarded to the client.
    """

    result: bytes | None = None
    has_told = False

    def __init__(self, media_type: str) -> None:
        self.data = bytearray()
        self._is_event_stream = media_type == EVENT_STREAM
        self._end = _EVENT_END if self._is_event_stream else _LINE_END
        self._searched = 0
        self._last_end = 0
        self._events = 0

    def add(self, piece: bytes, max_events: int | None) -> bool:
        """Add a piece; True once there are enough events, and then drop what follows them."""
        self.data += piece
        if max_events is None:
            return False
        while end := self._end.search(self.data, self._searched):
            event, last_end = self.data[self._last_end : end.start()], end.end()
            self._last_end = self._searched = last_end
            self._events += bool(_DATA_LINE.search(event) if self._is_event_stream else event)
            if self._events >= max_events:
                del end  # a match holds a reference to the data, which prevents it from shrinking
                del self.data[last_end:]
                return True
        self._searched = max(self._last_end, len(self.data) - 3)
        return False

    def drop_half_event(self) -> None:
        """Drop an incomplete last event, if there is a complete one before it."""
        ends = [end.end() for end in self._end.finditer(self.data)]
        if ends:
            del self.data[ends[-1] :]

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.data)

    def close(self) -> None:
        """Handle the end of the body."""


class _ToldBody(_Body):
    """An event stream in which some events are forwarded, and one can be the result."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__(EVENT_STREAM)
        self._tell = tell
        self._rest = bytearray()

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.data) + len(self._rest)

    def add(self, piece: bytes, max_events: int | None) -> bool:
        """Add a piece; True once there is a result, or enough other events."""
        searched = max(0, len(self._rest) - 3)
        self._rest += piece
        begin, is_over, progress = 0, False, ""
        while not is_over and (end := _EVENT_END.search(self._rest, max(begin, searched))):
            event, stop = bytes(self._rest[begin : end.start()]), end.end()
            del end  # a match holds a reference to the bytes, which prevents them from shrinking
            name, data = parsed(event)
            if name == PROGRESS:
                progress = data  # of several in one piece, the last is enough
                self.has_told = True
            elif name == LOG:
                self._tell(LOG, data)
                self.has_told = True
            elif name == RESULT:
                self.result = data.encode()
                is_over = True
            else:
                self.data += self._rest[begin:stop]
                self._events += bool(data)
                is_over = max_events is not None and self._events >= max_events
            begin = stop
        del self._rest[:begin]
        if progress:
            self._tell(PROGRESS, progress)
        return is_over

    def drop_half_event(self) -> None:
        """Drop an incomplete last event."""
        self._rest.clear()

    def close(self) -> None:
        """Handle the end of the body; some backends do not terminate their last event."""
        if self._rest:
            self.add(b"\n\n", None)


async def read_answer(reply: Reply, max_bytes: int, stream: StreamLimits = UNLIMITED) -> Answer:
    """Read the body piece by piece, and stop as soon as it is too large.

    For a stream, and for an error, whose first words say enough, the beginning is kept.

    Raises:
        TooLargeError: The body has more than `max_bytes`.
        BrokenOffError: The connection broke.
    """
    content_type = _ascii(reply.header("content-type"))
    media_types = (stream.media_type, places.media_type(content_type))
    streamed = next(
        (one for one in media_types if one == EVENT_STREAM or one in JSON_LINE_TYPES), ""
    )
    is_error = reply.status >= HTTPStatus.BAD_REQUEST
    problem = ""
    may_be_cut = stream.any_type or bool(streamed) or is_error
    if may_be_cut:
        limits = StreamLimits(max_seconds=stream.max_seconds) if is_error else stream
        tells = streamed == EVENT_STREAM and not reply.header("content-encoding")
        body = _ToldBody(limits.tell) if tells and limits.tell else _Body(streamed)
        data, cut = await _beginning(reply, body, max_bytes, limits)
        if body.result is not None:
            return Answer(reply.status, RESULT_TYPE, body.result, tuple(reply.headers))
        if body.has_told and not data:
            problem = f"its event stream ended {cut} without a result".replace("  ", " ")
    else:
        data, cut = await _whole(reply, max_bytes), ""
    encoding = _encoding(reply)
    try:
        if encoding.strip().lower() not in {"", "identity"}:
            data = await asyncio.to_thread(decompress, data, encoding, max_bytes, partial=bool(cut))
    except CompressionError:
        problem, data = f"its body cannot be decompressed (Content-Encoding: {encoding})", b""
    if len(data) > max_bytes:
        if not may_be_cut:
            raise TooLargeError(reply.status, max_bytes)
        cut, data = _size(max_bytes), data[:max_bytes]
    return Answer(reply.status, content_type, data, tuple(reply.headers), cut, problem)


async def _whole(reply: Reply, max_bytes: int) -> bytes:
    """Read the whole body; do not start if the announced length is too large."""
    received = bytearray()
    try:
        if reply.announced <= max_bytes:
            while len(received) <= max_bytes:
                piece = await reply.read()
                if not piece:
                    return bytes(received)
                received += piece
    except OSError as error:
        raise BrokenOffError(reply.status, len(received)) from error
    reply.close()
    raise TooLargeError(reply.status, max_bytes)


async def _beginning(
    reply: Reply, body: _Body, max_bytes: int, limits: StreamLimits
) -> tuple[bytes, str]:
    """Read the beginning of a body; return it, and why it is incomplete, empty if it is not."""
    try:
        cut = await _cut(reply, body, max_bytes, limits)
    except OSError:
        cut = f"after {len(body.data)} bytes, where the connection broke"
        body.drop_half_event()
    if cut:
        reply.close()
    return bytes(body.data[:max_bytes]), cut


async def _cut(reply: Reply, body: _Body, max_bytes: int, limits: StreamLimits) -> str:
    """Fill a body; return why it is incomplete, empty if it is not."""
    max_events = None if reply.header("content-encoding") else limits.max_events
    timeout = asyncio.timeout(limits.max_seconds)
    try:
        async with timeout:
            while piece := await reply.read():
                if body.add(piece, max_events):
                    return f"after {max_events} events (maxEvents)"
                if body.size > max_bytes:
                    body.drop_half_event()
                    return _size(max_bytes)
    except TimeoutError:
        if not timeout.expired():
            raise
        body.drop_half_event()
        return f"after {limits.max_seconds:.3g} s (maxDuration, or the time for a call)"
    body.close()
    return ""


def _encoding(reply: Reply) -> str:
    """Return the codings of a body, joined from all `Content-Encoding` headers."""
    return _ascii(", ".join([value for name, value in reply.headers if name == "content-encoding"]))


def _ascii(value: str) -> str:
    """Replace bytes that are not ASCII in a header that is quoted or looked up."""
    return value.encode("ascii", "replace").decode()


def _size(max_bytes: int) -> str:
    return f"after {max_bytes} bytes (maxBytes)"

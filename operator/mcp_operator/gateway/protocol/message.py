"""The values that cross the edge of the core: HTTP requests, responses and event streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal

JSON: Mapping[str, str] = {"content-type": "application/json"}

EVENT_STREAM: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # asks nginx-based proxies not to hold events back
}


@dataclass(slots=True)  # not frozen, which takes four times as long to make; nothing changes it
class HttpRequest:
    """One request to the MCP endpoint, its body complete.

    Attributes:
        method: In upper case.
        headers: By lower-case name; those of a repeated header as one list (RFC 9110
            section 5.3).
        repeated: Names of headers that came more than once.
        body: Already bounded by the front.
        path: That of the URL.
        scheme: That of the connection: http or https.
        principal: Whom it comes from; set by the endpoint.
        address: What stands for the client where nobody has verified who it is.
        begin: Answers with a stream while the request is still being handled; what that returns is
            then this stream. To be called once at most. None where the answer has to be whole.
    """

    method: str
    headers: Mapping[str, str]
    repeated: frozenset[str] = frozenset()
    body: bytes = b""
    path: str = ""
    scheme: str = "http"
    principal: Principal = ANONYMOUS
    address: str = ""
    begin: Callable[[HttpStream], None] | None = None

    def admitted(self, principal: Principal, spent: str) -> HttpRequest:
        """Return the request as one of a principal, without the header that proved it."""
        headers = dict(self.headers)
        headers.pop(spent, None)
        return HttpRequest(
            self.method,
            headers,
            self.repeated,
            self.body,
            self.path,
            self.scheme,
            principal,
            self.address,
            self.begin,
        )

    @property
    def client(self) -> str:
        """Who shares with other clients what this server has."""
        principal = self.principal
        return f"{principal.issuer} {principal.name}" if principal.name else self.address


@dataclass(slots=True)  # likewise
class HttpResponse:
    """A complete response; a body that is not empty is JSON."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Frames(Protocol):
    """An asynchronous iterator of encoded events and keep-alive comments, to be closed."""

    def __aiter__(self) -> Frames: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Release what the stream holds; also where nothing was read from it."""
        ...


@dataclass(frozen=True, slots=True)
class HttpStream:
    """A response of status 200 whose body is server-sent events.

    Attributes:
        frames: The body. The front must close it, whether the client went or it ended by itself.
        headers: To be sent before the first frame.
    """

    frames: Frames
    headers: Mapping[str, str] = field(default_factory=lambda: EVENT_STREAM)


def frame(data: bytes) -> bytes:
    """Encode one JSON message, which holds no raw line break, as a server-sent event."""
    return b"event: message\ndata: " + data + b"\n\n"


KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment that clients ignore; it keeps proxies from closing an idle stream."""

KEEP_ALIVE_SECONDS: Final = 15.0
"""Between two frames; below the 60 s after which common proxies close an idle connection."""

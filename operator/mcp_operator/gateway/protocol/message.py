"""The inputs and outputs of the core: HTTP requests, responses and event streams."""

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


@dataclass(slots=True)  # never changed, but not frozen: that takes four times as long to create
class HttpRequest:
    """One request to the MCP endpoint, with its complete body.

    Attributes:
        method: In upper case.
        headers: By lower-case name; repeated headers are joined into a list (RFC 9110
            section 5.3).
        repeated: Names of headers that were sent more than once.
        body: The front has already limited its size.
        path: The path of the URL.
        scheme: The scheme of the connection: http or https.
        principal: The client that sent it; set by the endpoint.
        address: The key of the client's address, used while the client is anonymous.
        begin: Starts to respond with a stream while the request is still being handled; call it at
            most once, and return the same stream later. None if the response must be complete.
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
        """Return the request as that of a principal, without the header with its credentials."""
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
        """The client, for limits that clients share."""
        principal = self.principal
        return f"{principal.issuer} {principal.name}" if principal.name else self.address


@dataclass(slots=True)  # not frozen, like `HttpRequest`
class HttpResponse:
    """A complete response; its body is JSON or empty."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Frames(Protocol):
    """An asynchronous iterator of encoded events and keep-alive comments; it must be closed."""

    def __aiter__(self) -> Frames: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None:
        """Release the resources of the stream, even if nothing was read from it."""
        ...


@dataclass(frozen=True, slots=True)
class HttpStream:
    """A response of status 200 whose body is server-sent events.

    Attributes:
        frames: The body. The front must close it, whether the client disconnects or it ends.
        headers: Sent before the first frame.
    """

    frames: Frames
    headers: Mapping[str, str] = field(default_factory=lambda: EVENT_STREAM)


def frame(data: bytes) -> bytes:
    """Encode one JSON message, which contains no raw newline, as a server-sent event."""
    return b"event: message\ndata: " + data + b"\n\n"


KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment that clients ignore; it keeps proxies from closing an idle stream."""

KEEP_ALIVE_SECONDS: Final = 15.0
"""Seconds between two frames; less than the 60 s after which proxies close idle connections."""

"""What a fault proxy can do to a request: each function returns one kind of action.

An action gets the exchange, which is one request in progress, and responds instead of the proxy.
Edits change the lines of a watch, one event each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from aiohttp import web

Lines = AsyncIterator[bytes]
Edit = Callable[[Lines], Lines]
"""Changes the lines of a watch. Each line includes its line end."""


@dataclass
class Seen:
    """One received request."""

    method: str
    path: str
    query: dict[str, str]
    at: float

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def selection(self) -> tuple[str, ...]:
        """The path and the selectors; a watch that is reopened has the same."""
        return self.path, self.query.get("labelSelector", ""), self.query.get("fieldSelector", "")


class Exchange(Protocol):
    """One request to the proxy, and the methods to respond to it."""

    request: web.BaseRequest
    seen: Seen

    async def forward(self, **query: str) -> aiohttp.ClientResponse:
        """Forward the request, with some query parameters replaced."""
        ...

    async def give(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Return the server's response unchanged; stream a watch until it ends."""
        ...

    async def stream(
        self, answer: aiohttp.ClientResponse, chunks: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Return the status and headers of the server's response with another body."""
        ...

    def abort(self) -> None:
        """Break the client's connection."""
        ...


Action = Callable[[Exchange], Awaitable[web.StreamResponse]]


def answer(status: int, body: Any = "", *, headers: Mapping[str, str] | None = None) -> Action:
    """Respond with JSON, text or bytes, without a request to the server."""
    raw = body if isinstance(body, (bytes, str)) else json.dumps(body)
    data = raw.encode() if isinstance(raw, str) else raw

    async def act(exchange: Exchange) -> web.StreamResponse:
        return web.Response(status=status, body=data, headers=headers)

    return act


def failure(
    status: int, reason: str = "", *, headers: Mapping[str, str] | None = None, **details: Any
) -> Action:
    """Respond with a `metav1.Status` of the proxy."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "by the proxy",
        "code": status,
        "reason": reason,
        "details": details,
    }
    return answer(status, body, headers={"Content-Type": "application/json", **(headers or {})})


def error_line(status: int, reason: str, message: str) -> Action:
    """Respond to a watch with an ERROR event, as the server does for an expired version."""
    return answer(200, error_event(status, reason, message))


def error_event(status: int, reason: str, message: str) -> bytes:
    """Return the line of a watch that reports an error."""
    event = {"type": "ERROR", "object": _status(status, reason, message, {})}
    return json.dumps(event).encode() + b"\n"


async def pass_on(exchange: Exchange) -> web.StreamResponse:
    """Forward the request unchanged. This is itself an action, for rules that skip requests."""
    return await exchange.give(await exchange.forward())


def drop() -> Action:
    """Break the connection before the server receives the request."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        exchange.abort()
        return web.Response()

    return act


def drop_answer() -> Action:
    """Break the connection after the server has responded: the client cannot know the outcome."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await (await exchange.forward()).read()
        exchange.abort()
        return web.Response()

    return act


def hang() -> Action:
    """Never respond, as if the network dropped every packet."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return act


def delay(seconds: float) -> Action:
    """Wait before forwarding the request."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await pass_on(exchange)

    return act


def ask_for(**query: str) -> Action:
    """Replace query parameters, for example with a version that the server does not have."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return await exchange.give(await exchange.forward(**query))

    return act


def cut(after: int) -> Action:
    """Break the connection after some bytes of the body."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        upstream = await exchange.forward()

        async def part() -> AsyncIterator[bytes]:
            left = after
            async for chunk in upstream.content.iter_any():
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    break

        response = await exchange.stream(upstream, part())
        await asyncio.sleep(0.05)  # the written bytes have to be sent before the connection breaks
        exchange.abort()
        return response

    return act


def edit(change: Edit) -> Action:
    """Change the lines of a watch."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        upstream = await exchange.forward()
        if not upstream.ok:  # for example, the kind does not exist
            return await exchange.give(upstream)
        return await exchange.stream(upstream, change(_lines_of(upstream)))

    return act


class Recording:
    """Records the response to one request, to replay it when it is out of date.

    Of a watch, it records the initial list. The replayed watch stays open and sends nothing more.
    """

    def __init__(self) -> None:
        self._body = b""
        self.done = asyncio.Event()

    def record(self) -> Action:
        """Return the server's response, and record it."""

        async def act(exchange: Exchange) -> web.StreamResponse:
            upstream = await exchange.forward()
            return await exchange.stream(upstream, self._keep(_lines_of(upstream)))

        return act

    def replay(self) -> Action:
        """Return the recorded response."""

        async def act(exchange: Exchange) -> web.StreamResponse:
            upstream = await exchange.forward()

            async def body() -> AsyncIterator[bytes]:
                yield self._body
                await asyncio.Event().wait()

            return await exchange.stream(upstream, body())

        return act

    async def _keep(self, lines: Lines) -> Lines:
        async for line in lines:
            if not self.done.is_set():
                self._body += line
                if b"initial-events-end" in line:
                    self.done.set()
            yield line


def _status(status: int, reason: str, message: str, details: Mapping[str, Any]) -> Any:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "code": status,
        "reason": reason,
        "details": details,
    }


async def _lines_of(upstream: aiohttp.ClientResponse) -> Lines:
    rest = b""
    async for chunk in upstream.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest

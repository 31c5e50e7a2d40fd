"""What a fault proxy may do to a request: each function makes one kind of action.

An action gets the exchange, one request on its way, and answers it in place of the proxy. Edits
change the lines of a watch, one event each.
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
"""Makes other lines of the lines of a watch; each keeps its line end."""


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    at: float

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def selection(self) -> tuple[str, ...]:
        """What is asked for; a watch that is opened again asks for the same."""
        return self.path, self.query.get("labelSelector", ""), self.query.get("fieldSelector", "")


class Exchange(Protocol):
    """One request that came to the proxy, and the means to answer it."""

    request: web.BaseRequest
    seen: Seen

    async def forward(self, **query: str) -> aiohttp.ClientResponse:
        """Send the request on, with some parameters of its query replaced."""
        ...

    async def give(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Give the server's answer back as it is, a watch for as long as it lasts."""
        ...

    async def stream(
        self, answer: aiohttp.ClientResponse, chunks: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Give the head of the server's answer back with another body."""
        ...

    def abort(self) -> None:
        """Break the client's connection."""
        ...


Action = Callable[[Exchange], Awaitable[web.StreamResponse]]


def answer(status: int, body: Any = "", *, headers: Mapping[str, str] | None = None) -> Action:
    """Answer without asking the server, with JSON, text or bytes."""
    raw = body if isinstance(body, (bytes, str)) else json.dumps(body)
    data = raw.encode() if isinstance(raw, str) else raw

    async def act(exchange: Exchange) -> web.StreamResponse:
        return web.Response(status=status, body=data, headers=headers)

    return act


def failure(
    status: int, reason: str = "", *, headers: Mapping[str, str] | None = None, **details: Any
) -> Action:
    """Answer with a `metav1.Status` of the proxy's own."""
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
    """Answer a watch with an ERROR event, as the server does for versions that it does not have."""
    return answer(200, error_event(status, reason, message))


def error_event(status: int, reason: str, message: str) -> bytes:
    """Return the line of a watch that tells of an error."""
    event = {"type": "ERROR", "object": _status(status, reason, message, {})}
    return json.dumps(event).encode() + b"\n"


async def pass_on(exchange: Exchange) -> web.StreamResponse:
    """Do nothing to it: an action itself, for rules that spare some requests."""
    return await exchange.give(await exchange.forward())


def drop() -> Action:
    """Break the connection before the server has seen anything."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        exchange.abort()
        return web.Response()

    return act


def drop_answer() -> Action:
    """Let the server act, and break the connection before its answer: the outcome is unknown."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await (await exchange.forward()).read()
        exchange.abort()
        return web.Response()

    return act


def hang() -> Action:
    """Never answer, as a black hole in the network does."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    return act


def delay(seconds: float) -> Action:
    """Wait before sending the request on."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await pass_on(exchange)

    return act


def ask_for(**query: str) -> Action:
    """Ask for something else, such as a version that the server does not have."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        return await exchange.give(await exchange.forward(**query))

    return act


def cut(after: int) -> Action:
    """Break the connection after so many bytes of the body."""

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
        await asyncio.sleep(0.05)  # what was written has to leave before the connection breaks
        exchange.abort()
        return response

    return act


def edit(change: Edit) -> Action:
    """Give a watch's lines back changed."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        upstream = await exchange.forward()
        if not upstream.ok:  # such as for a kind that there is not
            return await exchange.give(upstream)
        return await exchange.stream(upstream, change(_lines_of(upstream)))

    return act


class Recording:
    """Keeps the answer to one request, to give it again when it is old.

    Of a watch, what came until the end of its list is kept; given again, it stays open and silent.
    """

    def __init__(self) -> None:
        self._body = b""
        self.done = asyncio.Event()

    def record(self) -> Action:
        """Give the server's answer, and keep it."""

        async def act(exchange: Exchange) -> web.StreamResponse:
            upstream = await exchange.forward()
            return await exchange.stream(upstream, self._keep(_lines_of(upstream)))

        return act

    def replay(self) -> Action:
        """Give the answer that was kept."""

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

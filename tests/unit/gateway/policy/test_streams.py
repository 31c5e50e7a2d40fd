"""Streams of authenticated clients end, so that the clients authenticate again."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.gateway.protocol.core import STREAM_SECONDS
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, HttpStream
from support.entries import tool
from support.identity import API_KEYS, Clients, MovedClock, by_token, token
from support.mcp_http import Server, modern, table

KEY = "alice-0123456789abcdef"
WANTED = {"notifications": {"toolsListChanged": True}}

pytestmark = pytest.mark.looptime


async def seconds(stream: HttpStream) -> float:
    """Read a stream to its end; return how long it was open."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async for frame in stream.frames:
        assert frame
    return loop.time() - began


async def test_a_stream_ends_when_the_token_that_opened_it_expires() -> None:
    shop = Server(tool("search"), clock=MovedClock(), auth=by_token())
    request = modern("subscriptions/listen", WANTED, authorization=f"Bearer {token()}")

    assert 300 <= await seconds(await shop.stream(request)) < 320


async def test_a_stream_opened_with_an_api_key_ends_after_the_maximum_time() -> None:
    shop = Server(tool("search"), secrets=Clients(alice=KEY), auth=API_KEYS)
    request = modern("subscriptions/listen", WANTED, x_api_key=KEY)

    open_for = await seconds(await shop.stream(request))

    assert STREAM_SECONDS <= open_for < STREAM_SECONDS + 20


async def test_streams_end_when_the_auth_settings_change() -> None:
    shop = Server(tool("search"))
    stream = await shop.stream(modern("subscriptions/listen", WANTED))
    assert b"acknowledged" in await anext(stream.frames)
    shop.current.swap(table(tool("search"), auth=API_KEYS))

    assert await seconds(stream) == 0


async def test_a_stream_of_a_server_without_authentication_does_not_end() -> None:
    shop = Server(tool("search"))
    stream = await shop.stream(modern("subscriptions/listen", WANTED))
    await anext(stream.frames)
    frames = [await anext(stream.frames) for _ in range(100)]

    assert frames == [KEEP_ALIVE] * 100

"""How long a body may take, by how much of it has come."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry

from mcp_operator.gateway.front.mcp import BODY_RATE, BODY_SECONDS, Front
from mcp_operator.gateway.front.places import Places
from mcp_operator.gateway.lag import LagWatch
from support.mcp_http import Server

LIMIT = 100 * 2**20

pytestmark = pytest.mark.looptime


class Upload:
    """A body on its way to a gateway."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        shop = Server(max_request_bytes=LIMIT)
        lag = LagWatch(CollectorRegistry())
        front = Front(shop.endpoint, lambda: shop.current.server, Places(), lag)
        connection = BaseProtocol(loop)
        connection.connection_made(asyncio.Transport())
        self.stream = StreamReader(connection, LIMIT, loop=loop)
        request = make_mocked_request("POST", "/mcp", payload=self.stream)
        self.answer = asyncio.ensure_future(front._read(request, "somebody"))

    async def send(self, size: int, seconds: int) -> None:
        """Send a part each second, unless there is an answer already."""
        for _ in range(seconds):
            await asyncio.sleep(1)
            if self.answer.done():
                return
            self.stream.feed_data(b"x" * (size // seconds))
        self.stream.feed_eof()

    async def refused_after(self) -> float:
        """Return for how many seconds the gateway has waited."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await self.answer
        assert isinstance(answer, web.Response)
        assert answer.status == 408
        return loop.time() - began


async def test_a_body_of_any_size_has_time_while_it_keeps_coming() -> None:
    upload = Upload()
    await upload.send(LIMIT, seconds=LIMIT // BODY_RATE)

    assert len(await upload.answer) == LIMIT


async def test_nothing_at_all_is_waited_for_as_long_as_for_little() -> None:
    upload = Upload()

    assert await upload.refused_after() == BODY_SECONDS


async def test_a_body_that_drips_is_refused_soon() -> None:
    upload = Upload()
    dripping = asyncio.ensure_future(upload.send(3600, seconds=3600))

    assert BODY_SECONDS <= await upload.refused_after() < BODY_SECONDS + 1
    dripping.cancel()


async def test_a_body_that_stops_coming_gets_no_more_time() -> None:
    upload = Upload()
    upload.stream.feed_data(b"x" * (10 * BODY_RATE))

    assert await upload.refused_after() == BODY_SECONDS + 10

"""The time limit of a request body depends on how much of it has arrived."""

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
    """A request body that a gateway is receiving."""

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
        """Send a part each second until there is a response."""
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


async def test_a_body_of_any_size_is_accepted_at_the_minimum_rate() -> None:
    upload = Upload()
    await upload.send(LIMIT, seconds=LIMIT // BODY_RATE)

    assert len(await upload.answer) == LIMIT


async def test_a_request_whose_body_never_starts_gets_408_after_the_base_time() -> None:
    upload = Upload()

    assert await upload.refused_after() == BODY_SECONDS


async def test_a_body_below_the_minimum_rate_gets_408_after_the_base_time() -> None:
    upload = Upload()
    dripping = asyncio.ensure_future(upload.send(3600, seconds=3600))

    assert BODY_SECONDS <= await upload.refused_after() < BODY_SECONDS + 1
    dripping.cancel()


async def test_a_body_that_stops_arriving_gets_no_additional_time() -> None:
    upload = Upload()
    upload.stream.feed_data(b"x" * (10 * BODY_RATE))

    assert await upload.refused_after() == BODY_SECONDS + 10

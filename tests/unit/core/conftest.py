"""A server whose every byte a test decides, and the connections to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mcp_operator.core.connections import Connections, Server
from support.raw_server import LOCAL, RawServer


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    made = RawServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def connections(server: RawServer) -> AsyncIterator[Connections]:
    made = Connections(Server(LOCAL, server.port))
    yield made
    made.close()

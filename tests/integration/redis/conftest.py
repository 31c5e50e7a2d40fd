"""A Redis for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from support.processes import ProcessGroup
from support.redis_links import Links
from support.redis_server import RedisServer


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[ProcessGroup]:
    group = ProcessGroup(tmp_path / "redis")
    group.directory.mkdir()
    yield group
    group.stop()


@pytest.fixture
async def redis(servers: ProcessGroup) -> RedisServer:
    server = RedisServer(servers)
    await server.start()
    return server


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    async with AsyncExitStack() as stack:
        yield Links(stack)

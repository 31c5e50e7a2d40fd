from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.scripted_api import ScriptedApi


@pytest.fixture
async def api() -> AsyncIterator[ScriptedApi]:
    server = ScriptedApi()
    await server.start()
    yield server
    await server.stop()

"""An outage of the API server is logged with one line at its start and one at its end."""

from __future__ import annotations

import logging

import pytest

from faults.proxy import FaultProxy
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

UNAVAILABLE = "The API server cannot be reached"
AVAILABLE = "The API server can be reached again"


async def test_an_outage_is_logged_once_and_its_end_once(
    shop: Shop, operator: Operator, proxy: FaultProxy, caplog: pytest.LogCaptureFixture
) -> None:
    await operator.settled(shop.client)
    caplog.set_level(logging.INFO, logger="mcp_operator")
    caplog.clear()
    await proxy.refuse()
    proxy.hang_up()

    async def said() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.levelno >= logging.WARNING or record.getMessage() == AVAILABLE
        ]

    await eventually(said, expected=[UNAVAILABLE])
    await shop.patch("MCPTool", "red-tool", spec={"description": "during the outage"})
    await proxy.accept()

    async def described() -> str:
        return (await shop.served("red") or {}).get("red-tool", "")

    await eventually(described, expected="during the outage")
    await operator.settled(shop.client)
    assert await said() == [UNAVAILABLE, AVAILABLE]

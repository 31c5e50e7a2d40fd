"""An API server that is away: one line when that begins, one at its end, whatever fails between."""

from __future__ import annotations

import logging

import pytest

from faults.proxy import FaultProxy
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

AWAY = "The API server cannot be reached"
BACK = "The API server can be reached again"


async def test_an_outage_is_one_line_and_its_end_is_another(
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
            if record.levelno >= logging.WARNING or record.getMessage() == BACK
        ]

    await eventually(said, expected=[AWAY])
    await shop.patch("MCPTool", "red-tool", spec={"description": "during the outage"})
    await proxy.accept()

    async def described() -> str:
        return (await shop.served("red") or {}).get("red-tool", "")

    await eventually(described, expected="during the outage")
    await operator.settled(shop.client)
    assert await said() == [AWAY, BACK]

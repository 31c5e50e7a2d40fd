"""One server that cannot be reconciled: other servers are not affected, and it reports it."""

from __future__ import annotations

import asyncio
import itertools
import math

from faults.actions import failure
from faults.proxy import FaultProxy
from faults.stability import stable
from faults.tenants import ALL, everything
from mcp_operator.core.meta import Key
from mcp_operator.runtime.reconcile import Reconciler, Result
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually

EDITS = 8
"""How often another server's tool is edited while one server cannot be reconciled."""


class Poisoned:
    """Raises for one server until it is healed, and records the times of the tries."""

    def __init__(self, reconciler: Reconciler, name: str) -> None:
        self.tries: list[float] = []
        self.healed = False
        self._reconciler = reconciler
        self._name = name

    async def reconcile(self, request: Key) -> Result | None:
        if request.name == self._name and not self.healed:
            self.tries.append(asyncio.get_running_loop().time())
            raise ValueError("poison")
        return await self._reconciler.reconcile(request)


async def edit_and_wait(shop: Shop) -> dict[str, str]:
    """Edit a tool of the red team, wait for each edit, and return the catalog at the end."""
    served = everything("red")
    for number in range(EDITS):
        served["red-tool"] = f"edit {number}"
        await shop.patch("MCPTool", "red-tool", spec={"description": served["red-tool"]})
        await eventually(lambda: shop.served("red"), served)
    return served


async def test_a_server_whose_reconciliation_always_raises_delays_no_other(
    shop: Shop, operator: Operator
) -> None:
    (servers,) = (each for each in operator._controllers if each.kind == "MCPServer")
    poisoned = servers._reconciler = Poisoned(servers._reconciler, "poison")
    await shop.server("poison")
    edited = await edit_and_wait(shop)
    gaps = [after - before for before, after in itertools.pairwise(poisoned.tries)]
    assert all(gap >= 0.005 * 2**number for number, gap in enumerate(gaps))
    assert await shop.served("poison") is None
    poisoned.healed = True
    await shop.patch("MCPServer", "poison", metadata={"labels": {"healed": "yes"}})
    await stable(shop, operator, ALL | {"red": edited, "poison": {}})


async def test_a_server_whose_child_is_always_refused_reports_it_and_delays_no_other(
    shop: Shop, operator: Operator, proxy: FaultProxy
) -> None:
    path = "/deployments/mcp-server-poison"
    refused = proxy.on(f"PATCH .*{path}", failure(422, "Invalid"), times=math.inf)
    await shop.server("poison")
    message = await shop.wait_for_reason("MCPServer", "poison", "Programmed", "ApplyFailed")
    assert "by the proxy" in message
    assert await shop.wait_for_reason("MCPServer", "poison", "Ready", "ApplyFailed") == message
    await eventually(lambda: shop.events("poison"), {"ApplyFailed"})
    edited = await edit_and_wait(shop)
    assert len(proxy.writes(path)) < 50
    refused.end()
    await stable(shop, operator, ALL | {"red": edited, "poison": {}})

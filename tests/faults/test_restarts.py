"""An API server that crashes, and one whose CRDs are deleted."""

from __future__ import annotations

import asyncio
import functools
import os

import pytest

from faults.stability import stable
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.core.meta import Key
from mcp_operator.runtime.client import WATCH_IDLE
from mcp_operator.runtime.retry import Backoff
from support.controlplane import ControlPlane
from support.crds import DEFINITIONS, install_crds
from support.operators import running_operator
from support.shop import Shop
from support.waiting import HANG_SECONDS, eventually

LATEST = WATCH_IDLE + 2 * Backoff.LONGEST + HANG_SECONDS
"""Seconds after which an operator has certainly reopened a broken watch."""

CRASHES = 20 if os.environ.get("MCP_OPERATOR_WALKS") else 1


@pytest.mark.timeout(1200 + 600 * CRASHES)
async def test_a_change_after_a_crash_of_the_api_server_is_reconciled(
    own_control_plane: ControlPlane, own_shop: Shop
) -> None:
    shop = own_shop
    tools = [f"tool-{number}" for number in range(CRASHES + 1)]
    async with running_operator(own_control_plane.kubeconfig, "default") as operator:
        await shop.server("red")
        for name in tools:
            await shop.tool(name, "red")
        await stable(shop, operator, {"red": dict.fromkeys(tools, "first")})
        while len(tools) > 1:
            await asyncio.to_thread(own_control_plane.kill_api_server)
            await asyncio.to_thread(own_control_plane.run_api_server)
            await shop.delete("MCPTool", tools.pop())
            left = dict.fromkeys(tools, "first")
            await eventually(functools.partial(shop.served, "red"), left, seconds=LATEST)
        await stable(shop, operator, {"red": dict.fromkeys(tools, "first")})


async def test_the_operator_waits_for_deleted_crds_and_deletes_nothing_meanwhile(
    own_control_plane: ControlPlane, own_shop: Shop
) -> None:
    shop = own_shop
    plurals = {"mcpservers", "mcptools", "mcpprompts", "mcpresources"}

    async def installed() -> set[str]:
        pages = shop.client.list_pages(DEFINITIONS)
        return {one["spec"]["names"]["plural"] async for page in pages for one in page.items}

    async with running_operator(own_control_plane.kubeconfig, "default") as operator:
        for round_ in range(2):
            server = f"server-{round_}"
            await shop.server(server)
            await shop.tool(f"tool-{round_}", server)
            expected = {f"tool-{round_}": "first"}
            await eventually(functools.partial(shop.served, server), expected)
            await operator.idle()
            for plural in plurals:
                name = f"{plural}.{MCPSERVERS.group}"
                await shop.client.delete(DEFINITIONS, Key("", name))
            await eventually(installed, set())
            await eventually(operator.unserved, plurals)
            assert not [write for write in operator.writes if write.startswith("DELETE")]
            await install_crds(shop.client)
        # A watch of a deleted CRD can become silent, and the API server can refuse its retry.
        await eventually(operator.unserved, set(), seconds=LATEST)
        await operator.idle()

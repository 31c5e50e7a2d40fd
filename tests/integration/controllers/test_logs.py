"""At level info, the operator logs what it changed and why, and nothing else."""

from __future__ import annotations

import functools
import logging

import pytest

from mcp_operator.builders.resources import SERVICES
from support.operators import Operator
from support.shop import Shop
from support.waiting import eventually


async def test_each_change_of_a_child_is_logged_once_and_a_reconciliation_is_not(
    shop: Shop, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="mcp_operator")

    def lines() -> list[tuple[str, str]]:
        """Return and clear the messages so far, each with the kind of its child."""
        taken = [
            (record.getMessage(), str(getattr(record, "child", "")).partition(" ")[0])
            for record in caplog.records
            if record.levelno >= logging.INFO and hasattr(record, "child")
        ]
        caplog.clear()
        return taken

    await shop.server("red", networkPolicy={"mode": "Ingress"})
    await shop.tool("add", "red")
    await eventually(functools.partial(shop.served, "red"), {"add": "first"})
    await operator.settled(shop.client)
    first = lines()
    assert {message for message, _ in first} <= {
        "Created a child",
        "Updated a child to its new desired state",
    }
    assert {"Deployment", "Service", "ConfigMap", "NetworkPolicy"} <= {kind for _, kind in first}

    # The operator reconciles both, and changes nothing.
    await shop.patch("MCPServer", "red", metadata={"annotations": {"note": "seen"}})
    await shop.patch("MCPTool", "add", metadata={"annotations": {"note": "seen"}})
    await operator.settled(shop.client)
    assert [record.getMessage() for record in caplog.records] == []

    await shop.patch("MCPTool", "add", spec={"description": "second"})
    await eventually(functools.partial(shop.served, "red"), {"add": "second"})
    await operator.settled(shop.client)
    assert set(lines()) == {("Updated a child to its new desired state", "ConfigMap")}

    await shop.patch("MCPServer", "red", spec={"networkPolicy": None})
    await operator.settled(shop.client)
    assert ("Deleted a child that is no longer desired", "NetworkPolicy") in lines()

    change = {"metadata": {"labels": {"app.kubernetes.io/name": "other"}}}
    await shop.client.merge_patch(SERVICES, shop.key("mcp-server-red"), change)
    await operator.settled(shop.client)
    assert lines() == [("Restored a child after an external change", "Service")]

"""Mistakes of new users that no schema can refuse, and the conditions that explain them."""

from __future__ import annotations

from mcp_operator.core.meta import Object
from support.operators import Operator
from support.shop import Shop

BEARER: Object = {"credentials": {"type": "Bearer", "secretRef": {"name": "api"}}}

TOOLS: dict[str, tuple[Object, str, tuple[str, ...]]] = {
    "no-service": (
        {"service": {"name": "order", "port": 80}},
        "ServiceNotFound",
        ("/order does not exist: create it, or correct the name",),
    ),
    "no-port": (
        {"service": {"name": "orders", "port": 8080}},
        "PortNotFound",
        ("orders", "8080", "80"),
    ),
    "no-port-name": (
        {"service": {"name": "orders", "port": "https"}},
        "PortNotFound",
        ("orders", "https", "http"),
    ),
    "no-secret": (
        {"request": BEARER},
        "SecretNotFound",
        ("/api does not exist: create it, or correct the name",),
    ),
}


async def test_a_missing_reference_of_a_tool_is_reported_with_what_to_do(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red")
    for name, (spec, _, _) in TOOLS.items():
        await shop.tool(name, "red", **spec)
    for name, (_, reason, said) in TOOLS.items():
        message = await shop.wait_for_reason("MCPTool", name, "ResolvedRefs", reason)
        assert [text for text in said if text not in message] == [], message


async def test_a_tool_that_no_server_selects_reports_what_to_compare(
    shop: Shop, operator: Operator
) -> None:
    await shop.server("red")
    await shop.tool("add", "blue")
    unselected = await shop.wait_for_reason("MCPTool", "add", "Ready", "NotSelected")
    assert "compare its labels with the servers' selectors" in unselected

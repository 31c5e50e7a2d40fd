"""Each way to install: from an empty cluster to a tool call, and back to an empty cluster."""

from __future__ import annotations

import json

import pytest
from mcp.client.client import Client

from e2e.harness.installs import WAYS, Install, installed
from e2e.harness.kubectl import Kubectl
from e2e.harness.shop import Shop, shop
from e2e.harness.waiting import eventually, fetch

TOOLS = ["cancel-order", "get-order", "place-order", "product-picture", "search-products"]

CHILDREN = "deployments,pods,services,serviceaccounts,roles,rolebindings,configmaps"

OPERATOR_PODS = "--selector=app.kubernetes.io/name=mcp-operator"


@pytest.mark.parametrize("way", WAYS)
async def test_an_installation_serves_the_samples_and_is_removed_completely(
    way: str, kubectl: Kubectl, image: str
) -> None:
    with installed(way, kubectl, image) as install, shop(kubectl, image) as opened:
        _tools_are_called(opened)
        await _official_client_is_served(opened)
        _a_deleted_tool_leaves_the_list(opened)
        _metrics_and_health_are_answered(install, opened)
        _removal_leaves_only_what_policy_keeps(install, opened)


def _tools_are_called(opened: Shop) -> None:
    assert opened.tools() == TOOLS
    found = opened.call("search-products", inStock=True)["structuredContent"]
    assert found["total"] == 4
    placed = opened.call("place-order", sku="teapot", quantity=1)
    order = json.loads(placed["content"][0]["text"])
    assert order["status"] == "open"
    assert opened.call("place-order", sku="teapot", quantity=99)["isError"]


async def _official_client_is_served(opened: Shop) -> None:
    with opened.kubectl.forwarded("service/mcp-server-shop", 8080) as port:
        for mode in ("2026-07-28", "legacy"):
            async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
                result = await client.call_tool("search-products", {"text": "mug"})
                assert result.structured_content is not None
                assert result.structured_content["total"] == 2


def _a_deleted_tool_leaves_the_list(opened: Shop) -> None:
    opened.kubectl("delete", "mcptool", "product-picture")
    rest = [name for name in TOOLS if name != "product-picture"]
    eventually(lambda: opened.tools() == rest, "the tool to leave the list")
    opened.kubectl.wait("mcpserver/shop", "jsonpath={.status.toolCount}=4")


def _metrics_and_health_are_answered(install: Install, opened: Shop) -> None:
    """Use port-forward for the operator, which no policy blocks, and a pod for the gateway."""
    with install.system.forwarded("service/mcp-operator", 8080) as port:
        assert "mcp_operator_reconciliation_total" in fetch(port, "/metrics")
    pod = install.system.find("pods", OPERATOR_PODS)[0]["metadata"]["name"]
    with install.system.forwarded(f"pod/{pod}", 8081) as port:
        assert "ok" in fetch(port, "/readyz")
        assert "ok" in fetch(port, "/livez")
    (gateway,) = opened.kubectl.find("pods", "--selector=app.kubernetes.io/instance=shop")
    address = f"http://{gateway['status']['podIP']}:8081"
    status, metrics = opened.client.get(f"{address}/metrics")
    assert status == 200
    assert "mcp_catalog_info" in metrics
    assert opened.client.get(f"{address}/readyz")[0] == 200


def _removal_leaves_only_what_policy_keeps(install: Install, opened: Shop) -> None:
    """Follow docs/how-to/uninstall.md: the operator first if the CRDs remain, else the servers."""
    if install.keeps_crds:
        install.uninstall()
        eventually(lambda: not install.leftovers(), "the operator to be gone")
        assert len(opened.tools()) == 4, "gateways serve without an operator"
    opened.kubectl("delete", "mcps,mcpt,mcpp,mcpr", "--all")
    ours = "--selector=app.kubernetes.io/managed-by=mcp-operator"
    # The garbage collector discovers new CRDs only every 30 s, and these can be newer than that.
    eventually(lambda: not opened.kubectl.find(CHILDREN, ours), "the servers' children to go")
    install.uninstall()
    eventually(lambda: not install.leftovers(), "the operator to be gone")

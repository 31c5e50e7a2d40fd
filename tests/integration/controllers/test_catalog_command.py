"""`mcp-operator catalog`, with an operator and a real API server, but without running pods."""

from __future__ import annotations

import json

import pytest

from mcp_operator.app.inspection.catalog import run_catalog
from mcp_operator.app.inspection.settings import CatalogSettings
from mcp_operator.core.errors import OperatorError
from support.controlplane import Cluster
from support.operators import Operator
from support.shop import Shop


async def test_the_catalog_of_a_server_is_shown_with_the_rejected_objects(
    control_plane: Cluster, shop: Shop, operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    await shop.tool("search", "red")
    await shop.tool("astray", "red", service={"name": "nowhere", "port": 80, "path": "/"})
    await shop.server("red")
    await operator.settled(shop.client)

    settings = CatalogSettings(
        server="red", namespace=shop.namespace, kubeconfig=control_plane.kubeconfig
    )
    await run_catalog(settings)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"MCPServer {shop.namespace}/red: catalog ")
    assert any(line.startswith("search ") and "MCPTool/search" in line for line in lines)
    assert any(line.startswith("MCPTool/astray ") for line in lines)

    await run_catalog(settings.model_copy(update={"output": "json"}))
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["tools"]] == ["search"]


async def test_a_server_that_does_not_exist_is_an_error_that_names_it(
    control_plane: Cluster, shop: Shop
) -> None:
    settings = CatalogSettings(
        server="other", namespace=shop.namespace, kubeconfig=control_plane.kubeconfig
    )
    with pytest.raises(OperatorError, match=f"there is no MCPServer {shop.namespace}/other"):
        await run_catalog(settings)

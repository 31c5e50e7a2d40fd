"""The objects of the quickstart and of the first tutorial become Ready."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.resources import SERVICES
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.operators import running_operator
from support.ready_pods import confirms, ready_pods
from support.shop import KINDS, Shop

ROOT = Path(__file__).parents[3]

SERVICE = ROOT / "examples" / "library" / "deployment.yaml"


def applied(page: str) -> Iterator[Object]:
    """Yield the Service behind the tools, and every object in the YAML of a page."""
    yield from yaml.safe_load_all(SERVICE.read_text(encoding="utf-8"))
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from yaml.safe_load_all(block)


@pytest.mark.parametrize("page", ["quickstart.md", "tutorials/rest-api.md"])
async def test_every_object_of_the_page_becomes_ready(
    page: str, client: Client, control_plane: Cluster, namespace: str, crds_installed: None
) -> None:
    shop = Shop(client, namespace)
    objects = [obj for obj in applied(page) if obj["kind"] in KINDS]
    async with (
        ready_pods(client, namespace),
        running_operator(control_plane.kubeconfig, namespace, ask=confirms),
    ):
        for obj in objects:
            metadata = obj["metadata"] | {"namespace": namespace}
            await client.create(KINDS[obj["kind"]], obj | {"metadata": metadata})
        for obj in objects:
            if obj["kind"].startswith("MCP"):
                await shop.wait_for_reason(
                    obj["kind"], obj["metadata"]["name"], "Ready", Reason.READY
                )
        status = (await shop.get("MCPServer", "library"))["status"]
    assert status["rejectedCount"] == 0
    assert status["internalURL"] == f"http://mcp-server-library.{namespace}.svc:8080/mcp"
    assert await shop.find(SERVICES, "mcp-server-library")  # the page forwards its port

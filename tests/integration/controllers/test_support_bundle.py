"""`mcp-operator support-bundle`, with an operator and a real API server."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
import yaml

from mcp_operator.app.inspection.bundle import run_bundle
from mcp_operator.app.inspection.settings import BundleSettings
from mcp_operator.core.errors import OperatorError
from support.controlplane import Cluster
from support.operators import Operator
from support.shop import Shop

CANARY = "canary-of-a-secret"


def files(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as opened:
        found = {}
        for member in opened.getmembers():
            content = opened.extractfile(member)
            assert content is not None
            found[member.name.partition("/")[2]] = content.read().decode()
        return found


async def test_a_bundle_contains_the_objects_and_no_secret(
    control_plane: Cluster, shop: Shop, operator: Operator, tmp_path: Path
) -> None:
    await shop.create("Secret", "login", stringData={"token": CANARY})
    credentials = {"type": "Bearer", "secretRef": {"name": "login", "key": "token"}}
    headers = [{"name": "X-Api-Key", "value": CANARY}]
    await shop.tool("search", "red", request={"credentials": credentials, "headers": headers})
    await shop.server("red")
    await operator.settled(shop.client)

    target = tmp_path / "bundle.tar.gz"
    settings = BundleSettings(
        output=target, namespace=shop.namespace, kubeconfig=control_plane.kubeconfig
    )
    await run_bundle(settings)

    found = files(target)
    assert CANARY not in "".join(found.values())
    (tool,) = yaml.safe_load_all(found["objects/mcptools.yaml"])
    assert tool["spec"]["request"]["credentials"] == credentials
    assert {"objects/mcpservers.yaml", "objects/deployments.yaml"} <= found.keys()
    assert not [name for name in found if "secret" in name or "configmap" in name]
    assert found["errors.txt"] == ""

    with pytest.raises(OperatorError, match="File exists"):
        await run_bundle(settings)

"""The commands of docs/how-to/back-up-and-restore.md restore every object."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcp_operator.api.crd import UNOBSERVED
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.controlplane import Cluster
from support.manifests import server

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "back-up-and-restore.md"

pytestmark = [
    pytest.mark.usefixtures("crds_installed"),
    pytest.mark.skipif(
        not (shutil.which("kubectl") and shutil.which("jq")), reason="needs kubectl and jq"
    ),
]


def command(beginning: str) -> str:
    """Return the command of the guide that starts with a text."""
    text = GUIDE.read_text(encoding="utf-8").partition("## With kubectl")[2]
    found = re.search(rf"^\$ ({re.escape(beginning)}.*)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


async def shell(line: str, cluster: Cluster, namespace: str, folder: Path) -> None:
    line = line.replace("--all-namespaces", f"--namespace {namespace}")
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", line),
        cwd=folder,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "KUBECONFIG": str(cluster.kubeconfig)},
        stderr=subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def test_objects_are_restored_as_they_were(
    client: Client, control_plane: Cluster, namespace: str, tmp_path: Path
) -> None:
    key = Key(namespace, "shop")
    wanted = server("shop", replicas=2)
    wanted["metadata"]["namespace"] = namespace
    made = await client.create(MCPSERVERS, wanted)
    await client.merge_patch(MCPSERVERS, key, {"status": {"toolCount": 3}}, subresource="status")

    await shell(command("kubectl get mcps"), control_plane, namespace, tmp_path)
    await client.delete(MCPSERVERS, key)
    with pytest.raises(ApiError, match="not found"):
        await client.get(MCPSERVERS, key)
    await shell(command("kubectl apply"), control_plane, namespace, tmp_path)

    restored = await client.get(MCPSERVERS, key)
    assert restored["metadata"]["uid"] != made["metadata"]["uid"]
    assert kept(restored) == kept(made)
    assert restored["status"] == UNOBSERVED


def kept(obj: Object) -> Object:
    labels = obj["metadata"].get("labels")
    return {"name": obj["metadata"]["name"], "labels": labels, "spec": obj["spec"]}

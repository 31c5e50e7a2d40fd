"""Applying the CRDs again with kubectl changes nothing, client-side and server-side."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from mcp_operator.api.crd import crds
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.crds import DEFINITIONS
from support.kustomize import MANIFESTS

CRDS = MANIFESTS.parent / "crds"
NAMES = [f"{path.stem}.mcp-operator.dev" for path in sorted(CRDS.glob("mcp*.yaml"))]

MAX_ANNOTATIONS = 262_144
"""The maximum size of annotations (apimachinery, `validation.TotalAnnotationSizeLimitB`)."""


async def applied(kubeconfig: Path, *options: str) -> list[str]:
    """Apply the CRDs with kubectl; return its line about each."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("there is no kubectl on PATH")
    command = (kubectl, "--kubeconfig", str(kubeconfig), "apply", "-k", str(CRDS), *options)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, problem = await process.communicate()
    assert process.returncode == 0, problem.decode()
    return output.decode().splitlines()


async def versions(client: Client) -> list[str]:
    found = [await client.get(DEFINITIONS, Key("", name)) for name in NAMES]
    return [one["metadata"]["resourceVersion"] for one in found]


@pytest.mark.usefixtures("crds_installed")
async def test_a_second_apply_changes_nothing(control_plane: Cluster, client: Client) -> None:
    await applied(control_plane.kubeconfig, "--force-conflicts", "--server-side")
    before = await versions(client)
    await applied(control_plane.kubeconfig, "--server-side")
    assert await versions(client) == before

    await applied(control_plane.kubeconfig)
    again = await applied(control_plane.kubeconfig)
    resource = f"{DEFINITIONS.kind.lower()}.{DEFINITIONS.group}"
    assert again == [f"{resource}/{name} unchanged" for name in NAMES]


@pytest.mark.parametrize("crd", crds(), ids=NAMES)
def test_each_crd_fits_into_the_annotation_of_kubectl_apply(crd: Object) -> None:
    assert len(json.dumps(crd, separators=(",", ":")).encode()) < MAX_ANNOTATIONS

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_operator.local.documents import load
from mcp_operator.local.manifests import Manifests
from mcp_operator.version import VERSION
from support.podsecurity import violations

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    loaded = load([SAMPLES])
    assert loaded.problems == ()
    return [document.obj for document in loaded.documents]


def test_the_samples_can_be_applied_to_any_namespace(objects: list[dict[str, Any]]) -> None:
    assert all("namespace" not in obj["metadata"] for obj in objects)


def test_the_backend_meets_the_restricted_pod_security_standard(
    objects: list[dict[str, Any]],
) -> None:
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]

    assert violations(pod) == []
    pod["containers"][0]["securityContext"]["capabilities"] = {}
    assert violations(pod) == ["shop: capabilities.drop is not [ALL]"]


def test_the_backend_is_a_module_of_the_published_image(objects: list[dict[str, Any]]) -> None:
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    python, option, module, *_ = container["command"]
    assert (python, option) == ("python", "-m")
    assert find_spec(module)
    assert container["image"] == "mcp-operator"
    kustomization = (SAMPLES / "backend" / "kustomization.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(kustomization)["images"] == [
        {
            "name": "mcp-operator",
            "newName": "ghcr.io/mcp-operator/mcp-operator",
            "newTag": VERSION,
        }
    ]


def test_the_sample_server_serves_all_samples() -> None:
    manifests = Manifests(load([SAMPLES]))
    assembly = manifests.assembly(manifests.choose())

    assert assembly.rejected == ()
    assert not any(local.compiled.findings for local in manifests.catalog_objects)
    assert len(manifests.selected(manifests.choose())) == len(manifests.catalog_objects)

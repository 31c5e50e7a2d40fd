"""The kustomizations of the quickstart and of the tutorials."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from mcp_operator.api.validation import problems
from mcp_operator.core.meta import Object
from mcp_operator.local.documents import load
from mcp_operator.local.manifests import Manifests
from mcp_operator.version import VERSION
from support import kustomize
from support.podsecurity import violations
from support.provision import UnavailableError
from support.workloads import named

ROOT = Path(__file__).parents[2]

EXAMPLES = ROOT / "examples"


def built(folder: str) -> list[Object]:
    try:
        return kustomize.build(EXAMPLES / folder)
    except UnavailableError as error:
        pytest.skip(str(error))


def test_the_pod_of_the_library_is_restricted_and_runs_service_py() -> None:
    objects = built("library")
    pod = named(objects, "Deployment", "library")["spec"]["template"]["spec"]
    assert violations(pod) == []
    [volume] = pod["volumes"]
    mounted = named(objects, "ConfigMap", volume["configMap"]["name"])
    service = (EXAMPLES / "library" / "service.py").read_text(encoding="utf-8")
    assert mounted["data"]["service.py"] == service
    assert pod["containers"][0]["command"][:2] == ["python", "/app/service.py"]


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_an_overlay_of_the_catalog_is_valid_and_selects_all_tools(
    overlay: str, tmp_path: Path
) -> None:
    objects = built(f"catalog/overlays/{overlay}")
    assert [problem for obj in objects for problem in problems(obj)] == []
    (tmp_path / "built.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    loaded = Manifests(load([tmp_path / "built.yaml"]))
    server = loaded.choose()
    assert len(loaded.selected(server)) == len(loaded.catalog_objects) == 1


def test_the_overlays_of_the_catalog_differ_only_in_the_server() -> None:
    staging, production = (built(f"catalog/overlays/{name}") for name in ("staging", "production"))
    tools = [named(objects, "MCPTool", "library")["spec"] for objects in (staging, production)]
    assert tools[0] == tools[1]
    servers = [named(objects, "MCPServer", "library")["spec"] for objects in (staging, production)]
    assert servers[0] != servers[1]


def test_the_workflow_of_the_catalog_validates_each_overlay_with_this_release() -> None:
    text = (EXAMPLES / "catalog" / "validate.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    overlays = {path.name for path in (EXAMPLES / "catalog" / "overlays").iterdir()}
    assert set(workflow["jobs"]["validate"]["strategy"]["matrix"]["overlay"]) == overlays
    assert f"/v{VERSION}/mcp_operator-{VERSION}-py3-none-any.whl" in text


def test_the_folders_that_pages_fetch_from_a_release_exist() -> None:
    pages = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
    remote = re.compile(r"https://github\.com/mcp-operator/mcp-operator//([\w/-]+)\?ref=v([\w.]+)")
    fetched = {
        found for page in pages for found in remote.findall(page.read_text(encoding="utf-8"))
    }
    assert len(fetched) >= 5
    for folder, version in fetched:
        assert (ROOT / folder / "kustomization.yaml").exists(), folder
        assert version == VERSION

"""The example image for mode Direct, with a kubelet that updates its files."""

from __future__ import annotations

import json

import pytest

from e2e.harness.shop import ROOT, Shop
from e2e.harness.waiting import eventually

EXAMPLE = ROOT / "examples" / "direct" / "server.yaml"

PUBLISHED = "registry.example.com/direct-example:1.0"


def test_the_example_serves_the_catalog_that_it_reports_and_its_changes(
    samples: Shop, example_image: str
) -> None:
    kubectl = samples.kubectl
    text = EXAMPLE.read_text(encoding="utf-8")
    assert PUBLISHED in text
    kubectl.apply(text.replace(PUBLISHED, example_image))
    # With a NetworkPolicy, it still reaches its Services, and the operator reaches it.
    kubectl.patch("mcpserver", "shop-direct", {"spec": {"networkPolicy": {"mode": "Full"}}})
    kubectl.wait("mcpserver/shop-direct", "condition=Programmed")
    status = kubectl.get("mcpserver", "shop-direct")["status"]
    assert status["syncedReplicas"] == 1

    url = f"http://mcp-server-shop-direct.{kubectl.namespace}.svc:8080/mcp"
    call = {"name": "search-products", "arguments": {"text": "teapot"}}
    answer = eventually(
        lambda: json.loads(samples.client("call", url, "tools/call", json.dumps(call))),
        "the Service to lead to the example",
    )
    assert answer["result"]["structuredContent"]["total"] == 1

    kubectl("label", "mcptool", "search-products", "app.kubernetes.io/part-of-")
    look_again(samples, other_than=status["configHash"])
    eventually(lambda: programmed(samples, other_than=status["configHash"]), "the kubelet")
    listed = json.loads(samples.client("call", url, "tools/list", "{}"))
    names = {tool["name"] for tool in listed["result"]["tools"]}
    assert names
    assert "search-products" not in names


def look_again(samples: Shop, other_than: str) -> None:
    """Change the pods once the new files exist, so that the kubelet updates them immediately."""

    def is_new() -> bool:
        files = samples.kubectl.get("configmap", "mcp-server-shop-direct-config")["data"]
        return bool(json.loads(files["catalog.json"])["digest"] != other_than)

    eventually(is_new, "the new files")
    pods = "--selector=app.kubernetes.io/instance=shop-direct"
    samples.kubectl("annotate", "pods", pods, "e2e=look-again")


@pytest.fixture(scope="module")
def example_image(pytestconfig: pytest.Config) -> str:
    """The image of the example, which is on the nodes."""
    reference: str = pytestconfig.getoption("example_image")
    if not reference:
        pytest.skip("build examples/direct and name it: --example-image or E2E_EXAMPLE_IMAGE")
    return reference


def programmed(samples: Shop, other_than: str) -> bool:
    """Return whether every pod serves another catalog."""
    status = samples.kubectl.get("mcpserver", "shop-direct")["status"]
    told = {condition["type"]: condition["status"] for condition in status["conditions"]}
    return bool(status["configHash"] != other_than and told["Programmed"] == "True")

"""`Programmed` is True only once all pods serve the catalog; otherwise it names the others."""

from __future__ import annotations

import json

import pytest

from e2e.harness.kubectl import Object
from e2e.harness.shop import GATEWAY_PODS, Shop
from e2e.harness.waiting import eventually


@pytest.fixture(scope="module", autouse=True)
def three(samples: Shop) -> None:
    """Run three pods."""
    samples.scale(3)


def test_programmed_is_true_only_when_all_pods_serve_the_catalog(samples: Shop) -> None:
    before = samples.server()["status"]["configHash"]
    describe(samples, "as it is now")

    status = eventually(lambda: programmed(samples, other_than=before), "Programmed")

    served = [digest(samples, pod) for pod in samples.kubectl.find("pods", GATEWAY_PODS)]
    assert served == [status["configHash"]] * 3
    assert status["syncedReplicas"] == 3


def test_a_pod_that_does_not_confirm_is_named_in_the_condition(samples: Shop) -> None:
    """A policy closes a new pod's management port to the operator, but not to the kubelet."""
    samples.scale(2)
    samples.kubectl("label", "pods", GATEWAY_PODS, "e2e=reachable")
    samples.kubectl.apply(policy_that_blocks_confirmation(samples.kubectl.namespace))
    known = names(samples)
    samples.kubectl("scale", "mcps/shop", "--replicas=3")

    (new,) = eventually(lambda: names(samples) - known, "the third pod")
    eventually(lambda: new in samples.condition("Programmed")["message"], f"{new} to be named")

    assert samples.condition("Programmed")["status"] == "False"
    assert samples.server()["status"]["syncedReplicas"] == 2
    assert len(samples.tools()) == 5, "all three pods still serve"
    samples.kubectl("delete", "networkpolicy", "closed-but-for-mcp")
    eventually(lambda: samples.condition("Programmed")["status"] == "True", "Programmed")
    assert samples.server()["status"]["syncedReplicas"] == 3


def test_an_image_that_never_becomes_ready_does_not_replace_pods(samples: Shop, image: str) -> None:
    served = {pod["metadata"]["name"] for pod in samples.kubectl.find("pods", GATEWAY_PODS)}
    samples.kubectl.patch("mcpserver", "shop", {"spec": {"image": f"{image}-missing"}})
    new = eventually(lambda: names(samples) - served, "a pod of the new image")

    assert len(samples.tools()) == 5
    assert names(samples) == served | new
    (pod,) = new
    eventually(lambda: pod in samples.condition("Degraded")["message"], f"{pod} to be named")
    assert samples.condition("Degraded")["reason"] == "PodsFailing"
    assert samples.condition("Ready")["status"] == "True", "the other pods still serve"

    samples.kubectl.patch("mcpserver", "shop", {"spec": {"image": None}})
    eventually(lambda: names(samples) == served, "the pod to go")


def describe(samples: Shop, text: str) -> None:
    """Change the catalog that every pod has to serve."""
    samples.kubectl.patch("mcptool", "search-products", {"spec": {"description": text}})


def programmed(samples: Shop, other_than: str) -> Object | None:
    """Return the status if all pods serve a catalog other than `other_than`."""
    status: Object = samples.server()["status"]
    told = {condition["type"]: condition["status"] for condition in status["conditions"]}
    return status if status["configHash"] != other_than and told["Programmed"] == "True" else None


def digest(samples: Shop, pod: Object) -> str:
    """Ask a pod for the digest of its catalog, as the operator does."""
    status, body = samples.client.get(f"http://{pod['status']['podIP']}:8081/catalog")
    assert status == 200
    answer: str = json.loads(body)["digest"]
    return answer


def names(samples: Shop) -> set[str]:
    """Return the names of the gateway pods."""
    return {pod["metadata"]["name"] for pod in samples.kubectl.find("pods", GATEWAY_PODS)}


def policy_that_blocks_confirmation(namespace: str) -> Object:
    """Return a policy that closes the management port of pods without the label reachable."""
    spec = {
        "podSelector": {
            "matchLabels": {"app.kubernetes.io/instance": "shop"},
            "matchExpressions": [{"key": "e2e", "operator": "NotIn", "values": ["reachable"]}],
        },
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}],
    }
    metadata = {"name": "closed-but-for-mcp", "namespace": namespace}
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata}
    return {**head, "spec": spec}

"""Objects that are wrong, and states that a fault leaves behind; each is undone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.harness.client import script_pod
from e2e.harness.kubectl import Kubectl, Object

LABELS: Final = {"app.kubernetes.io/part-of": "shop"}

BROKEN: Final = Path(__file__).parents[1] / "pods" / "broken.py"


def tool(name: str, service: str, path: str = "/", /, **spec: object) -> Object:
    """Return an MCPTool of the shop that calls a Service; `spec` overrides the rest."""
    declared = {
        "name": name,
        "description": "Stands for one that is wrong.",
        "method": "GET",
        "service": {"name": service, "port": 80, "path": path},
    }
    return {
        "apiVersion": "mcp-operator.dev/v1alpha1",
        "kind": "MCPTool",
        "metadata": {"name": name, "labels": LABELS},
        "spec": declared | spec,
    }


def server(name: str, **spec: object) -> Object:
    """Return an MCPServer that selects the tools of the shop."""
    return {
        "apiVersion": "mcp-operator.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name},
        "spec": {"toolSelector": {"matchLabels": LABELS}, **spec},
    }


def service(name: str, port: int, target: int) -> Object:
    """Return a Service for pods with the label `app: NAME`, whether there are any or not."""
    spec = {"ports": [{"port": port, "targetPort": target}], "selector": {"app": name}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def broken_backend(image: str) -> list[Object]:
    """Return a Service and its pod, which runs pods/broken.py."""
    script, pod = script_pod("broken", image, BROKEN, "python", "/broken/broken.py")
    container = pod["spec"]["containers"][0]
    container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    return [script, pod, service("broken", port=80, target=8080)]


def closed_port(server: str) -> Object:
    """Return a NetworkPolicy that leaves only the MCP port of a server's pods open."""
    spec = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/instance": server}},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": 8080}]}],
    }
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"closed-{server}"},
        "spec": spec,
    }


def lost_webhook(namespace: str) -> Object:
    """Return a webhook for the Deployments of a namespace that does not answer: it has no pods."""
    name = {"kubernetes.io/metadata.name": namespace}
    webhook = {
        "name": "lost.example.com",
        "clientConfig": {"service": {"name": "lost-webhook", "namespace": namespace}},
        "namespaceSelector": {"matchLabels": name},
        "rules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments"],
            }
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"lost-webhook-{namespace}"},
        "webhooks": [webhook],
    }


@contextmanager
def applied(kubectl: Kubectl, *objects: Object) -> Iterator[None]:
    """Apply objects, and delete them afterwards."""
    kubectl.apply(list(objects))
    try:
        yield
    finally:
        for obj in reversed(objects):
            kubectl("delete", obj["kind"], obj["metadata"]["name"], "--wait=false")


@contextmanager
def scaled(kubectl: Kubectl, target: str) -> Iterator[None]:
    """Scale a Deployment to no pods, and back afterwards."""
    replicas = kubectl("get", target, "--output=jsonpath={.spec.replicas}")
    kubectl("scale", target, "--replicas=0")
    try:
        yield
    finally:
        kubectl("scale", target, f"--replicas={replicas}")


@contextmanager
def without(kubectl: Kubectl, kind: str, name: str, resource: str) -> Iterator[None]:
    """Remove the permission on a resource from a role, and restore it afterwards."""
    role = kubectl.get(kind, name)
    kept = [rule for rule in role["rules"] if resource not in rule.get("resources", ())]
    assert len(kept) < len(role["rules"])
    kubectl.patch(kind, name, {"rules": kept})
    try:
        yield
    finally:
        kubectl.patch(kind, name, {"rules": role["rules"]})

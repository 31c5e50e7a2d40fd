"""Minimal desired children with the same name, and the writes of them."""

from __future__ import annotations

from mcp_operator.builders.children import Child
from mcp_operator.builders.deployment import REPLICAS_ANNOTATION
from mcp_operator.builders.resources import AUTOSCALERS, DEPLOYMENTS
from mcp_operator.core.meta import Key, Object, Resource
from support.cached_cluster import CachedCluster

NAME = Key("demo", "mcp-server-shop")

LABELS = {
    "app.kubernetes.io/managed-by": "mcp-operator",
    "app.kubernetes.io/name": "mcp-server",
}


def child(
    resource: Resource, *, annotations: dict[str, str] | None = None, **spec: object
) -> Child:
    """Return a child with the labels by which the caches select."""
    metadata: Object = {"name": NAME.name, "namespace": NAME.namespace, "labels": LABELS}
    if annotations:
        metadata["annotations"] = annotations
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    return Child(resource, {**head, "spec": spec})


def put_foreign(cluster: CachedCluster, resource: Resource, *, owned: bool = False) -> None:
    """Create a foreign object with the name of a child; the caches do not see it."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    theirs: Object = {**NAME._asdict(), "uid": "u", "resourceVersion": "7"}
    if owned:
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}
        theirs["ownerReferences"] = [{**owner, "controller": True}]
    cluster.objects[resource, NAME] = {**head, "metadata": theirs}


FIXED = [child(DEPLOYMENTS, replicas=3)]
UNMANAGED = {REPLICAS_ANNOTATION: "unmanaged"}
SCALED = [
    child(DEPLOYMENTS, annotations=UNMANAGED, paused=False),
    child(AUTOSCALERS, maxReplicas=5),
]


def verbs(cluster: CachedCluster) -> list[tuple[str, str]]:
    """Return the verb and kind of every write so far."""
    return [(verb, obj["kind"]) for verb, obj in cluster.writes]

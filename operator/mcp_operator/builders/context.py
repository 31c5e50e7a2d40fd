"""What every builder needs besides the server itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mcp_operator.api.v1alpha1 import MCPSERVERS, MCPServer
from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.builders.labels import child_labels
from mcp_operator.core.meta import Object, Resource, owner_reference

PullPolicy = Literal["Always", "IfNotPresent", "Never"]


@dataclass(frozen=True, slots=True)
class BuildContext:
    """The operator's settings for the children of all servers."""

    gateway_image: str
    """The image of gateway pods, unless the server names another."""
    gateway_image_pull_policy: PullPolicy = "IfNotPresent"
    """The pull policy of gateway pods, unless the server names another."""
    operator_namespace: str = ""
    """The namespace of the operator's own pods; empty if it runs outside of the cluster."""
    external_hosts: tuple[str, ...] = ()
    """Patterns of the hosts outside of the cluster that tools and resources can call."""
    pod_template: PodTemplate = field(default_factory=PodTemplate)
    """The pod settings of all servers, which a server can override."""
    passed_labels: tuple[str, ...] = ()
    """Patterns of the labels that a server passes on to its children."""
    passed_annotations: tuple[str, ...] = ()
    """Patterns of the annotations that a server passes on to its children."""


def child(server: MCPServer, resource: Resource, name: str) -> Object:
    """Return type and metadata of a child, with the server as its controller."""
    owner = {
        "apiVersion": MCPSERVERS.api_version,
        "kind": MCPSERVERS.kind,
        "metadata": server.metadata,
    }
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": server.namespace,
            "labels": child_labels(server.name, server.spec.effective_mode),
            "ownerReferences": [owner_reference(owner)],
        },
    }

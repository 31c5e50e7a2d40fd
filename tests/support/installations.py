"""The kustomizations of the repository for installing, each built once."""

from __future__ import annotations

import functools
from typing import Protocol

from mcp_operator.api.crd import DEFINITIONS
from mcp_operator.builders.resources import CHILDREN, SECRETS
from mcp_operator.core.meta import Object, Resource
from support import crds, kustomize
from support.connected import NAMESPACES
from support.kustomize import MANIFESTS
from support.operator_account import KINDS

COMPONENTS = {
    "gateway-api": ("", "demo"),
    "grafana": ("", "mcp-system"),
    "named-namespaces": ("base", ""),
    "namespaced-rbac": ("base", "team-a"),
    "prometheus": ("overlays/production", ""),
    "redis": ("", "demo"),
    "redis-ha": ("", "demo"),
}
"""The base, if any, and the namespace for each component."""

OVERLAYS = ("base", "overlays/dev", "overlays/kind", "overlays/production")
OPERATORS = (
    *OVERLAYS,
    "components/named-namespaces",
    "components/namespaced-rbac",
    "components/prometheus",
)
EVERYTHING = (*OVERLAYS, *(f"components/{name}" for name in COMPONENTS))

ELSEWHERE = {"Gateway", "PodMonitor", "PrometheusRule", "ServiceMonitor"}
"""Kinds that other projects define."""


PRIORITY_CLASSES = Resource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False
)

STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet")

RESOURCES = {
    resource.kind: resource
    for resource in (
        *CHILDREN,
        *KINDS.values(),
        *(definition.resource for definition in DEFINITIONS),
        NAMESPACES,
        PRIORITY_CLASSES,
        SECRETS,
        STATEFUL_SETS,
        crds.DEFINITIONS,
    )
}
"""The resources of the installed kinds, by kind."""


class Build(Protocol):
    """Builds by name; see `built`."""

    def __call__(self, name: str, namespace: str = "") -> list[Object]:
        """Return the objects."""


@functools.cache
def built(name: str, namespace: str = "") -> list[Object]:
    """Build a kustomization, or one that uses a component.

    Args:
        name: its folder in `manifests`.
        namespace: where to install it; by default, its own namespace.

    Raises:
        UnavailableError: there is no kustomize.
    """
    folder = MANIFESTS / name
    if name in OVERLAYS:
        return kustomize.build_with([folder], namespace=namespace)
    base, default = COMPONENTS[folder.name]
    resources = [MANIFESTS / base] if base else []
    return kustomize.build_with(resources, [folder], namespace=namespace or default)

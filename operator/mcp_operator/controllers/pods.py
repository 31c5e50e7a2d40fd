"""What a pod's status says of it: whether it is ready, and what keeps it from becoming so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mcp_operator.core.meta import Object, is_deleting

TROUBLE: Final[Mapping[str, str]] = {
    "ErrImagePull": "cannot pull its image",
    "ImagePullBackOff": "cannot pull its image",
    "ErrImageNeverPull": "cannot pull its image",
    "InvalidImageName": "has an image name that is none",
    "CrashLoopBackOff": "keeps crashing",
    "CreateContainerConfigError": "lacks something that its spec refers to",
    "CreateContainerError": "cannot be started",
    "RunContainerError": "cannot be started",
}
"""The waiting reasons of a container that will not pass by themselves (kubelet, pkg/kubelet/images
and pkg/kubelet/kuberuntime), in words that stay the same while the kubelet tries again."""


def is_ready(pod: Object) -> bool:
    """Tell whether a pod is ready, has an address, and is not on its way out."""
    status = pod.get("status") or {}
    return (
        bool(status.get("podIP"))
        and not is_deleting(pod)
        and any(c["type"] == "Ready" and c["status"] == "True" for c in _conditions(pod))
    )


def failing(pods: Iterable[Object]) -> dict[str, str]:
    """Return the pods that will not become ready by themselves, by name, each with why."""
    found = {pod["metadata"]["name"]: _trouble(pod) for pod in pods if not is_deleting(pod)}
    return {name: why for name, why in sorted(found.items()) if why}


def _trouble(pod: Object) -> str:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if why := TROUBLE.get(waiting.get("reason", "")):
            return why
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return "fits on no node"
    return ""


def _conditions(pod: Object) -> Iterable[Object]:
    return (pod.get("status") or {}).get("conditions") or ()

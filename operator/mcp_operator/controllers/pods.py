"""Reading the status of pods: which are ready, and which cannot become ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mcp_operator.core.meta import Object, is_deleting

STUCK_REASONS: Final[Mapping[str, str]] = {
    "ErrImagePull": "cannot pull its image",
    "ImagePullBackOff": "cannot pull its image",
    "ErrImageNeverPull": "cannot pull its image",
    "InvalidImageName": "has an invalid image name",
    "CrashLoopBackOff": "keeps crashing",
    "CreateContainerConfigError": "has an invalid configuration",
    "CreateContainerError": "cannot be started",
    "RunContainerError": "cannot be started",
}
"""Reasons for which a container waits until somebody changes something (kubelet, pkg/kubelet/images
and pkg/kubelet/kuberuntime). The texts do not change while the kubelet tries again."""


def is_ready(pod: Object) -> bool:
    """Return whether a pod is ready, has an address, and is not being deleted."""
    status = pod.get("status") or {}
    return (
        bool(status.get("podIP"))
        and not is_deleting(pod)
        and any(c["type"] == "Ready" and c["status"] == "True" for c in _conditions(pod))
    )


def failing(pods: Iterable[Object]) -> dict[str, str]:
    """Return the pods that will not become ready without a change, by name, each with the cause."""
    found = {pod["metadata"]["name"]: _cause(pod) for pod in pods if not is_deleting(pod)}
    return {name: why for name, why in sorted(found.items()) if why}


def _cause(pod: Object) -> str:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        if why := STUCK_REASONS.get(waiting.get("reason", "")):
            return why
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return "cannot be scheduled"
    return ""


def _conditions(pod: Object) -> Iterable[Object]:
    return (pod.get("status") or {}).get("conditions") or ()

"""Reads the status of pods: which are ready, and which cannot become ready."""

from __future__ import annotations

import re
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
"""Reasons why a container waits until a user changes something (kubelet, pkg/kubelet/images and
pkg/kubelet/kuberuntime). The texts do not change while the kubelet retries."""


EXPLAINED: Final = frozenset({"CreateContainerConfigError", "InvalidImageName"})
"""The reasons whose message names what is missing or wrong, in the same words at each attempt."""

EXPLANATION_LIMIT: Final = 300
"""Characters of such a message that a status includes, next to those of other pods."""

_POD_NAME: Final = re.compile(r'pods "[^"]*" ?')


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


def refused_pods(deployment: Object | None) -> str:
    """Return why the API server rejects pods of a Deployment; empty if it does not.

    A quota, a policy or a security context constraint rejects each pod before it exists, so only
    the Deployment reports it. The pod's name, which differs at each attempt, is left out.
    """
    for condition in _conditions(deployment or {}):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return _POD_NAME.sub("", condition.get("message", "")).removeprefix("is ")
    return ""


def _cause(pod: Object) -> str:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if why := STUCK_REASONS.get(reason):
            return _explained(why, waiting.get("message") if reason in EXPLAINED else "")
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return _explained("cannot be scheduled", condition.get("message"))
    return ""


def _explained(what: str, why: str | None) -> str:
    """Add the first sentence of an explanation; the rest is advice that changes at each attempt."""
    sentence = (why or "").partition(". ")[0].rstrip(".")[:EXPLANATION_LIMIT]
    return f"{what} ({sentence})" if sentence else what


def _conditions(obj: Object) -> Iterable[Object]:
    return (obj.get("status") or {}).get("conditions") or ()

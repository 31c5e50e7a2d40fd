"""A small evaluator of the `restricted` Pod Security Standard.

It follows https://kubernetes.io/docs/concepts/security/pod-security-standards for the fields that a
generated pod can have, and refuses every unknown field, so that each new field is reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
HARMLESS_POD_FIELDS = {
    "affinity",
    "automountServiceAccountToken",
    "containers",
    "dnsConfig",
    "dnsPolicy",
    "enableServiceLinks",
    "hostAliases",
    "imagePullSecrets",
    "initContainers",
    "nodeSelector",
    "priorityClassName",
    "runtimeClassName",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
}


def violations(pod: dict[str, Any]) -> list[str]:
    """Return the violations of the restricted standard in a pod spec."""
    found = [f"field {name}" for name in sorted(pod.keys() - HARMLESS_POD_FIELDS)]
    for volume in pod.get("volumes", []):
        kinds = volume.keys() - {"name"}
        found += [f"volume type {kind}" for kind in sorted(kinds - ALLOWED_VOLUMES)]
    for container in (*pod["containers"], *pod.get("initContainers", ())):
        found += [f"{container['name']}: {text}" for text in _of_container(pod, container)]
    return found


def _of_container(pod: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    effective = {**pod.get("securityContext", {}), **own}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"]:
        yield "capabilities.drop is not [ALL]"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if effective.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if effective.get("runAsUser", 1) == 0:
        yield "runs as user 0"
    if effective.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile is not RuntimeDefault or Localhost"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield "host ports"

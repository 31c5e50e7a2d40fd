"""Security contexts that comply with the `restricted` Pod Security Standard."""

from __future__ import annotations

from typing import Final

from mcp_operator.core.meta import Object

NON_ROOT_UID: Final = 10001
"""Above 10000, so that it is not the id of an account on the host."""


UNPRIVILEGED: Final[Object] = {"runAsUser": NON_ROOT_UID, "runAsGroup": NON_ROOT_UID}
"""For images that may name root or no numeric user, which `runAsNonRoot` keeps from starting."""


def pod_security(ids: Object) -> Object:
    """Return the security context of the pod.

    Args:
        ids: The user and group IDs of its processes, and similar fields. If empty, the image and
            the cluster decide; OpenShift, for example, gives each namespace users of its own.
    """
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} | ids


def container_security(*, read_only_root: bool) -> Object:
    """Return the security context of a container.

    Args:
        read_only_root: Whether the image is known not to write to its root filesystem.
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only_root,
    }

"""The `restricted` Pod Security Standard, which every generated pod keeps."""

from __future__ import annotations

from typing import Final

from mcp_operator.core.meta import Object

NON_ROOT_UID: Final = 10001
"""Above 10000, so that it is nobody's account on a usual host."""


def pod_security() -> Object:
    """Return the security context of the pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": NON_ROOT_UID,
        "runAsGroup": NON_ROOT_UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security(*, read_only_root: bool) -> Object:
    """Return the security context of a container.

    Args:
        read_only_root: Whether the image is known to write nowhere on its root filesystem.
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only_root,
    }

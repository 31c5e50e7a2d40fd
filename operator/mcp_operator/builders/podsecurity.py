"""Security contexts that comply with the `restricted` Pod Security Standard."""

from __future__ import annotations

from typing import Final

from mcp_operator.core.meta import Object

NON_ROOT_UID: Final = 10001
"""Above 10000, so that it is not the id of an account on the host."""


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
        read_only_root: Whether the image is known not to write to its root filesystem.
    """
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": read_only_root,
    }

"""The labels of a server's children, and the selectors that find them."""

from __future__ import annotations

from typing import Final, Literal

Mode = Literal["Gateway", "Direct"]
"""How a server runs; `Auto` has been resolved to one of these."""

DOMAIN: Final = "mcp-operator.dev"
"""The prefix of the operator's own labels and annotations."""

SERVER_LABEL: Final = f"{DOMAIN}/server"
"""On children and pods: the name of their MCPServer."""

HASH_ANNOTATION: Final = f"{DOMAIN}/applied-hash"
"""On every child: the hash of the last applied state, which shows that a field was removed."""

MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "mcp-operator"


def selector_labels(server: str) -> dict[str, str]:
    """Return the labels that a Deployment and a Service select pods by.

    They never change, because `spec.selector` of a Deployment is immutable.
    """
    return {"app.kubernetes.io/name": "mcp-server", "app.kubernetes.io/instance": server}


def child_labels(server: str, mode: Mode) -> dict[str, str]:
    """Return the labels of every child: Kubernetes' recommended labels and the server label."""
    return {
        **selector_labels(server),
        "app.kubernetes.io/component": mode.lower(),
        MANAGED_BY_LABEL: MANAGED_BY,
        SERVER_LABEL: server,
    }


def managed_selector() -> str:
    """Return the label selector, in query form, that matches children of every server."""
    return f"{MANAGED_BY_LABEL}={MANAGED_BY},app.kubernetes.io/name=mcp-server"


def users_selector() -> str:
    """Return the label selector, in query form, that excludes children of servers."""
    return f"!{SERVER_LABEL}"

"""The labels by which a server's children are found."""

from __future__ import annotations

from typing import Final, Literal

Mode = Literal["Gateway", "Direct"]
"""How a server runs, once `Auto` has been decided."""

DOMAIN: Final = "mcp-operator.dev"
"""The prefix of every label and annotation of ours."""

SERVER_LABEL: Final = f"{DOMAIN}/server"
"""Names the MCPServer on each of its children and pods."""

MANAGED_BY: Final = "mcp-operator"


def selector_labels(server: str) -> dict[str, str]:
    """Return the labels that a Deployment and a Service select pods by.

    They never change in the life of a server, because `spec.selector` of a Deployment is immutable.
    """
    return {"app.kubernetes.io/name": "mcp-server", "app.kubernetes.io/instance": server}


def child_labels(server: str, mode: Mode) -> dict[str, str]:
    """Return the labels of every child: the recommended ones of Kubernetes, and the server's."""
    return {
        **selector_labels(server),
        "app.kubernetes.io/component": mode.lower(),
        "app.kubernetes.io/managed-by": MANAGED_BY,
        SERVER_LABEL: server,
    }


def managed_selector() -> str:
    """Return the label selector, in query form, that matches children of every server."""
    return f"app.kubernetes.io/managed-by={MANAGED_BY},app.kubernetes.io/name=mcp-server"


def users_selector() -> str:
    """Return the label selector, in query form, that leaves out children of servers."""
    return f"!{SERVER_LABEL}"

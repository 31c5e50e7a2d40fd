"""MCPServers for tests, in the form in which the API server returns them."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.v1alpha1 import MCPServer


def server(name: str = "shop", namespace: str = "demo", **spec: Any) -> MCPServer:
    """Return a stored MCPServer; the names in `spec` are those of the YAML."""
    return MCPServer.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
            "spec": {"toolSelector": {"matchLabels": {"app": "shop"}}, **spec},
        }
    )

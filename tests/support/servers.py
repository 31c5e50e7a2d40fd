"""MCPServers for tests, as the API server would hand them over."""

from __future__ import annotations

from typing import Any

from mcp_operator.api.v1alpha1 import MCPServer


def server(name: str = "shop", namespace: str = "demo", **spec: Any) -> MCPServer:
    """Return a stored MCPServer; `spec` holds fields in their YAML spelling."""
    return MCPServer.model_validate(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
            "spec": {"toolSelector": {"matchLabels": {"app": "shop"}}, **spec},
        }
    )

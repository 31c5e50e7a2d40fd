"""Where the endpoint of a server is found."""

from __future__ import annotations

from mcp_operator.api.catalog import METADATA_PATH
from mcp_operator.api.v1alpha1 import MCPServer


def ingress_url(server: MCPServer) -> str | None:
    """Return the URL of the endpoint through the Ingress; None where no host tells it."""
    ingress = server.spec.ingress
    if ingress is None or ingress.host is None or ingress.host.startswith("*"):
        return None
    scheme = "https" if ingress.tls_secret_name else "http"
    return f"{scheme}://{ingress.host}{ingress.path_prefix}"


def metadata_path(server: MCPServer, path_prefix: str) -> str | None:
    """Return where clients behind a path ask for the identity provider; None if they do not."""
    if server.spec.auth.type != "JWT" or path_prefix == "/":
        return None
    return METADATA_PATH + path_prefix.rstrip("/")

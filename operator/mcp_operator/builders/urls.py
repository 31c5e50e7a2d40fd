"""The URLs and host names of a server's endpoint."""

from __future__ import annotations

from mcp_operator.api.catalog import METADATA_PATH
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.names import child_name


def ingress_url(server: MCPServer) -> str | None:
    """Return the URL of the endpoint through the Ingress; None if the Ingress has no fixed host."""
    ingress = server.spec.ingress
    if ingress is None or ingress.host is None or ingress.host.startswith("*"):
        return None
    scheme = "https" if ingress.tls_secret_name else "http"
    return f"{scheme}://{ingress.host}{ingress.path_prefix}"


def own_hosts(server: MCPServer) -> tuple[str, ...]:
    """Return the host names of an endpoint: its Service's, its Ingress's and its HTTPRoute's.

    Web pages of these hosts may use the endpoint, so nobody else must be able to own such a name.
    For example, the name of a Service in a namespace `dev`, without `.svc`, is also a name on the
    Internet.
    """
    service = f"{child_name(server.name)}.{server.namespace}.svc"
    names = [service, f"{service}.cluster.local"]
    if server.spec.ingress is not None and server.spec.ingress.host:
        names.append(server.spec.ingress.host)
    if server.spec.http_route is not None:
        names += server.spec.http_route.hostnames
    return tuple(names)


def metadata_path(server: MCPServer, path_prefix: str) -> str | None:
    """Return the path of the resource metadata (RFC 9728) for a path; None if none is needed."""
    if server.spec.auth.type != "JWT" or path_prefix == "/":
        return None
    return METADATA_PATH + path_prefix.rstrip("/")

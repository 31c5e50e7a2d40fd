"""The Ingress that exposes a server outside its cluster."""

from __future__ import annotations

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import INGRESSES
from mcp_operator.builders.service import HTTP_PORT_NAME
from mcp_operator.builders.urls import metadata_path
from mcp_operator.core.meta import Object


def build_ingress(server: MCPServer) -> Object | None:
    """Return the Ingress, or None if the server does not ask for one."""
    wanted = server.spec.ingress
    if wanted is None:
        return None
    name = child_name(server.name)
    backend = {"service": {"name": name, "port": {"name": HTTP_PORT_NAME}}}
    paths: list[Object] = [
        {"path": wanted.path_prefix, "pathType": wanted.path_type, "backend": backend}
    ]
    if metadata := metadata_path(server, wanted.path_prefix):
        paths.append({"path": metadata, "pathType": "Exact", "backend": backend})
    rule: Object = {"http": {"paths": paths}}
    spec: Object = {"rules": [rule]}
    if wanted.host:
        rule["host"] = wanted.host
    if wanted.class_name:
        spec["ingressClassName"] = wanted.class_name
    if wanted.tls_secret_name:
        spec["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret_name}]
    ingress = {**child(server, INGRESSES, name), "spec": spec}
    if wanted.annotations:
        ingress["metadata"]["annotations"] = dict(wanted.annotations)
    return ingress

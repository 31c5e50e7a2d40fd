"""The references of an MCPServer itself, without those of its tools, prompts and resources."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.compile_auth import auth_references
from mcp_operator.builders.compile_http import union
from mcp_operator.builders.compile_redis import redis_references
from mcp_operator.builders.compiled import Finding, UnresolvedError
from mcp_operator.builders.references import Facts, References, require_secret
from mcp_operator.core.meta import Key

CERTIFICATE_KEYS: Final = ("tls.crt", "tls.key")
"""The keys of a Secret of the type kubernetes.io/tls."""


def server_references(server: MCPServer) -> References:
    """Return everything that the spec of a server refers to."""
    references = union([auth_references(server), redis_references(server)])
    certificate = _certificate(server)
    if certificate is None:
        return references
    return replace(references, secrets=references.secrets | {certificate})


def certificate_finding(server: MCPServer, facts: Facts) -> Finding | None:
    """Return what is wrong with the Secret of `spec.tls`, if it is known to be wrong."""
    certificate = _certificate(server)
    if certificate is None:
        return None
    try:
        for key in CERTIFICATE_KEYS:
            require_secret(facts, certificate, key)
    except UnresolvedError as error:
        return error.finding
    return None


def _certificate(server: MCPServer) -> Key | None:
    tls = server.spec.tls
    if tls is None or server.spec.effective_mode == "Direct":
        return None
    return Key(server.namespace, tls.secret_name)

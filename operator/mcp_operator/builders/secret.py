"""The Secret with the random key that the replicas of a gateway share."""

from __future__ import annotations

import base64

from mcp_operator.api.keys import KEYS_TYPE, ROOT_KEY
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import BuildContext, child
from mcp_operator.builders.names import keys_name
from mcp_operator.builders.podtemplate import passed_on
from mcp_operator.builders.resources import SECRETS
from mcp_operator.core.meta import Object


def build_keys(server: MCPServer, context: BuildContext, root: bytes) -> Object:
    """Return the Secret. It never changes: a new key needs a new Secret."""
    secret = child(server, SECRETS, keys_name(server.name))
    labels, annotations = passed_on(server, context)
    secret["metadata"]["labels"] = labels | secret["metadata"]["labels"]
    if annotations:
        secret["metadata"]["annotations"] = annotations
    return {
        **secret,
        "type": KEYS_TYPE,
        "immutable": True,
        "data": {ROOT_KEY: base64.b64encode(root).decode("ascii")},
    }

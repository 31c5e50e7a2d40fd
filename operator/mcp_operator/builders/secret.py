"""The Secret with the random key that the replicas of a gateway share."""

from __future__ import annotations

import base64

from mcp_operator.api.keys import KEYS_TYPE, ROOT_KEY
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import keys_name
from mcp_operator.builders.resources import SECRETS
from mcp_operator.core.meta import Object


def build_keys(server: MCPServer, root: bytes) -> Object:
    """Return the Secret. It never changes: another key is another Secret."""
    return {
        **child(server, SECRETS, keys_name(server.name)),
        "type": KEYS_TYPE,
        "immutable": True,
        "data": {ROOT_KEY: base64.b64encode(root).decode("ascii")},
    }

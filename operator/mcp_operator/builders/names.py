"""The names of a server's children.

They depend on the server's name alone, so that people can find them. A server's name has at most 52
characters (a rule of its CRD), so every name fits into the 63 characters of a DNS label.
"""

from __future__ import annotations

import re


def child_name(server: str) -> str:
    """Return the name that all children of a server have, except its ConfigMaps and its Secret."""
    return f"mcp-server-{server}"


def config_name(server: str, shard: int = 0) -> str:
    """Return the name of the ConfigMap of one catalog shard; shard 0 also holds the index."""
    base = f"{child_name(server)}-config"
    return f"{base}-{shard}" if shard else base


def is_child_name(name: str, server: str) -> bool:
    """Return whether a name is one of those that `child_name` and `config_name` return."""
    own = re.escape(child_name(server))
    return re.fullmatch(f"{own}(-config(-[1-9][0-9]*)?)?", name) is not None


def keys_name(server: str) -> str:
    """Return the name of the Secret with the key that the gateway's replicas share."""
    return f"{child_name(server)}-keys"

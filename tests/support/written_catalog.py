"""A catalog in ConfigMaps, as the operator writes them for the server `shop`."""

from __future__ import annotations

import base64

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, encode
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.core.meta import Object
from mcp_operator.runtime.client import Client

NAME = config_name("shop")

SHARD_BYTES = 200
"""So small that a few tools take several ConfigMaps."""


async def write_catalog(client: Client, namespace: str, content: Catalog) -> list[str]:
    """Write the shards, then the index, as the operator does; return the ConfigMaps' names."""
    encoded = encode(content, SHARD_BYTES)
    names = [f"{NAME}-{number}" if number else NAME for number in range(len(encoded.shards))]
    for name, shard in reversed(list(zip(names, encoded.shards, strict=True))):
        obj: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": namespace, "name": name},
            "binaryData": {SHARD_KEY: base64.b64encode(shard).decode()},
        }
        if name == NAME:
            obj["data"] = {INDEX_KEY: encoded.index.model_dump_json(by_alias=True)}
        await client.apply(CONFIGMAPS, obj)
    return names

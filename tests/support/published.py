"""The ConfigMaps in which the operator publishes a catalog."""

from __future__ import annotations

import base64

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, encode
from mcp_operator.core.meta import Key, Object

INDEX = Key("demo", "mcp-server-shop-config")


def config_maps(content: Catalog, shard_bytes: int = 900 * 1024) -> dict[str, Object]:
    """Return the ConfigMaps of a catalog by name."""
    encoded = encode(content, shard_bytes)
    objects: dict[str, Object] = {}
    for number, shard in enumerate(encoded.shards):
        name = f"{INDEX.name}-{number}" if number else INDEX.name
        objects[name] = {
            "metadata": {"namespace": INDEX.namespace, "name": name},
            "binaryData": {SHARD_KEY: base64.b64encode(shard).decode()},
        }
    objects[INDEX.name]["data"] = {INDEX_KEY: encoded.index.model_dump_json(by_alias=True)}
    return objects

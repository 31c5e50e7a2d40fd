"""The ConfigMaps that carry a server's catalog to its pods."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from mcp_operator.api.shards import INDEX_KEY, SHARD_KEY, EncodedCatalog
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.context import child
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.core.meta import Object


def build_shards(server: MCPServer, encoded: EncodedCatalog) -> list[Object]:
    """Return the ConfigMaps of a catalog, the one with the index last.

    If they are applied in this order, the shards exist when a reader sees the new index.
    """
    shards = [_shard(server, number, shard) for number, shard in enumerate(encoded.shards)]
    index = shards.pop(0)
    index["data"] = {INDEX_KEY: encoded.index.model_dump_json(by_alias=True)}
    return [*shards, index]


def build_files(server: MCPServer, files: Mapping[str, str]) -> Object:
    """Return the ConfigMap with the files that are mounted in mode Direct."""
    config = child(server, CONFIGMAPS, config_name(server.name))
    return {**config, "data": dict(sorted(files.items()))}


def _shard(server: MCPServer, number: int, shard: bytes) -> Object:
    config = child(server, CONFIGMAPS, config_name(server.name, number))
    return {**config, "binaryData": {SHARD_KEY: base64.b64encode(shard).decode("ascii")}}

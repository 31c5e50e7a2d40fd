"""Splits a catalog into shards that fit into ConfigMaps, and joins verified shards.

The first shard's ConfigMap also holds the index: the catalog's digest, its size and the digest of
every shard. It is written last. A reader that finds an index whose shards do not match therefore
reads between two writes: it keeps its last good catalog, and waits for the next index.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from mcp_operator.api.catalog import Catalog, digest
from mcp_operator.core.meta import Object, key_of

SHARD_BYTES = 900 * 1024
"""Below the 1 MiB limit of a ConfigMap's data (k8s.io/api/core/v1, MaxSecretSize), with room for
the index and metadata."""

MAX_CATALOG_BYTES = 256 * 1024 * 1024
"""Larger catalogs are refused, so that an index cannot make a reader use any amount of memory."""

INDEX_KEY = "index.json"
SHARD_KEY = "catalog.gz"


class ShardError(ValueError):
    """The shards do not match the index; the sentence says which and how."""


class Index(BaseModel):
    """What the first ConfigMap says about the whole catalog."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    schema_version: int = 1
    digest: str
    bytes: int
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EncodedCatalog:
    """A catalog that is ready to write: its index, and the compressed bytes of each shard."""

    index: Index
    shards: tuple[bytes, ...]


def encode(catalog: Catalog, shard_bytes: int = SHARD_BYTES) -> EncodedCatalog:
    """Compress a catalog and split it. Equal catalogs give identical bytes."""
    canonical = catalog.canonical()
    packed = gzip.compress(canonical, compresslevel=6, mtime=0)
    shards = tuple(packed[at : at + shard_bytes] for at in range(0, len(packed), shard_bytes))
    return EncodedCatalog(
        Index(
            digest=digest(canonical),
            bytes=len(canonical),
            shards=tuple(hashlib.sha256(shard).hexdigest() for shard in shards),
        ),
        shards,
    )


def decode(index: Index, shards: Sequence[bytes]) -> Catalog:
    """Verify every shard and the whole, and parse the catalog.

    Raises:
        ShardError: A shard is missing or changed, or the content is not a catalog.
    """
    if len(shards) != len(index.shards):
        raise ShardError(f"the index names {len(index.shards)} shards, {len(shards)} were read")
    for number, (shard, expected) in enumerate(zip(shards, index.shards, strict=True)):
        if hashlib.sha256(shard).hexdigest() != expected:
            raise ShardError(f"shard {number} is not the one that the index names")
    if not 0 <= index.bytes <= MAX_CATALOG_BYTES:
        raise ShardError(
            f"the index names {index.bytes} bytes, which is not within 0 to {MAX_CATALOG_BYTES}"
        )
    canonical = _decompress(b"".join(shards), index.bytes)
    if digest(canonical) != index.digest:
        raise ShardError("the content does not have the digest that the index names")
    try:
        return Catalog.model_validate_json(canonical)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ShardError(
            f"the content is not a catalog that this release reads: {where}: {first['msg']}"
        ) from error


def index_of(config_map: Object) -> Index:
    """Read the index in the first ConfigMap of a catalog.

    Raises:
        ShardError: The ConfigMap has no index, or the index cannot be read.
    """
    text = (config_map.get("data") or {}).get(INDEX_KEY)
    if text is None:
        raise ShardError(f"ConfigMap {key_of(config_map)} has no {INDEX_KEY}")
    try:
        return Index.model_validate_json(text)
    except ValidationError as error:
        problem = f"the index in ConfigMap {key_of(config_map)} is broken: {error}"
        raise ShardError(problem) from error


def shard_of(config_map: Object) -> bytes:
    """Return the bytes of the shard in a ConfigMap.

    Raises:
        ShardError: The ConfigMap has no shard, or the shard is not base64.
    """
    encoded = (config_map.get("binaryData") or {}).get(SHARD_KEY)
    if encoded is None:
        raise ShardError(f"ConfigMap {key_of(config_map)} has no {SHARD_KEY}")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        problem = f"{SHARD_KEY} of ConfigMap {key_of(config_map)} is not base64"
        raise ShardError(problem) from error


def _decompress(packed: bytes, expected: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        canonical = unpacker.decompress(packed, expected + 1)
    except zlib.error as error:
        raise ShardError(f"the shards are not gzip: {error}") from error
    if len(canonical) != expected:
        raise ShardError(f"the index names {expected} bytes, the shards hold another number")
    return canonical

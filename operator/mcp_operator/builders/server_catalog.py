"""Builds the catalog of one server, in the form that its pods get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mcp_operator.api.shards import EncodedCatalog, encode
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.catalog import build_catalog
from mcp_operator.builders.cluster_facts import Called, called_by
from mcp_operator.builders.compile_redis import redis_service
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.direct import deliverable, direct_files, files_size, with_digests
from mcp_operator.builders.references import Facts
from mcp_operator.core.meta import Key

_NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class ServerCatalog:
    """What the pods of a server serve.

    Attributes:
        selected: All objects that the server selects.
        assembly: The catalog, and what was left out of it.
        digest: The SHA-256 digest with which pods report that they serve it.
        size: Its uncompressed size in bytes; in mode Direct, the size as files in a ConfigMap.
        encoded: In mode Gateway, the catalog as shards; None in mode Direct.
        files: In mode Direct, the files to mount, by name; None in mode Gateway.
        called: The Services and ports that the catalog names.
    """

    selected: tuple[Compiled, ...]
    assembly: Assembly
    digest: str
    size: int
    encoded: EncodedCatalog | None = None
    files: Mapping[str, str] | None = None
    called: Called = field(default_factory=Called)


def build_server_catalog(
    server: MCPServer, selected: Iterable[Compiled], facts: Facts = _NO_FACTS
) -> ServerCatalog:
    """Assemble and encode the catalog of a server.

    Args:
        server: The server.
        selected: Every object that it selects, compiled.
        facts: The objects that the server itself refers to.
    """
    objects = tuple(selected)
    assembly = build_catalog(server, objects, facts)
    if server.spec.effective_mode == "Gateway":
        encoded = encode(assembly.catalog)
        index, called = encoded.index, called_by(assembly.catalog)
        return ServerCatalog(objects, assembly, index.digest, index.bytes, encoded, called=called)
    assembly = deliverable(assembly)
    digest, files = with_digests(direct_files(assembly.catalog))
    called = called_by(assembly.catalog, _own_redis(server))
    return ServerCatalog(objects, assembly, digest, files_size(files), files=files, called=called)


def _own_redis(server: MCPServer) -> dict[Key, int]:
    """Return the Service and port of the Redis whose address a user's own server gets."""
    service = redis_service(server)
    return {service: server.spec.redis.port} if service and server.spec.redis else {}

"""The catalog of one server, in the form in which its pods get it."""

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
        digest: The SHA-256 by which pods say that they serve it.
        size: What it takes uncompressed, in bytes; in mode Direct, as files in a ConfigMap.
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
        facts: What the server itself refers to.
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
    """Return the Service and port of the Redis that a server of one's own is told of."""
    service = redis_service(server)
    return {service: server.spec.redis.port} if service and server.spec.redis else {}

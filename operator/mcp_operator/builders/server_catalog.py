"""The catalog of one server, in the form in which its pods get it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mcp_operator.api.shards import EncodedCatalog, encode
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.catalog import build_catalog
from mcp_operator.builders.cluster_facts import Called, called_by
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.direct import deliverable, direct_files
from mcp_operator.builders.references import Facts

_NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class ServerCatalog:
    """What the pods of a server serve.

    Attributes:
        selected: All objects that the server selects.
        assembly: The catalog, and what was left out of it.
        encoded: The catalog as shards, with its digest and its size. In mode Gateway the pods read
            the shards; in mode Direct they go nowhere.
        files: In mode Direct, the files to mount, by name; None in mode Gateway.
        called: The Services and ports that the catalog names.
    """

    selected: tuple[Compiled, ...]
    assembly: Assembly
    encoded: EncodedCatalog
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
        called = called_by(assembly.catalog)
        return ServerCatalog(objects, assembly, encode(assembly.catalog), called=called)
    assembly = deliverable(assembly)
    files = direct_files(assembly.catalog)
    called = called_by(assembly.catalog)
    return ServerCatalog(objects, assembly, encode(assembly.catalog), files, called)

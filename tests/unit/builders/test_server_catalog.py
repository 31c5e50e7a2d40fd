"""The form in which a server's catalog goes to its pods, by the server's mode."""

from __future__ import annotations

from mcp_operator.api.shards import decode
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.server_catalog import build_server_catalog
from mcp_operator.core.meta import Key
from support.entries import tool
from support.servers import server

SEARCH = Compiled("MCPTool", Key("demo", "search"), "", (tool(),))


def test_in_mode_gateway_the_catalog_is_encoded_and_there_are_no_files() -> None:
    catalog = build_server_catalog(server(), [SEARCH])

    assert [entry.name for entry in catalog.assembly.catalog.tools] == ["search"]
    assert decode(catalog.encoded.index, catalog.encoded.shards) == catalog.assembly.catalog
    assert catalog.files is None


def test_in_mode_direct_there_are_files_to_mount() -> None:
    catalog = build_server_catalog(server(image="example/server:1"), [SEARCH])

    assert catalog.files is not None
    assert '"name": "search"' in catalog.files["tools.json"]

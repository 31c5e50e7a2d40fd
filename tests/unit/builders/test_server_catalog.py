"""The form of the catalog of a server, which depends on its mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.api.shards import decode
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.direct import files_size
from mcp_operator.builders.server_catalog import build_server_catalog
from mcp_operator.builders.server_references import server_references
from mcp_operator.core.meta import Key
from support.entries import tool
from support.servers import server

SEARCH = Compiled("MCPTool", Key("demo", "search"), "", (tool(),))


def test_in_mode_gateway_the_catalog_is_encoded_and_has_no_files() -> None:
    catalog = build_server_catalog(server(), [SEARCH])

    assert [entry.name for entry in catalog.assembly.catalog.tools] == ["search"]
    assert catalog.encoded is not None
    assert (catalog.digest, catalog.size) == (
        catalog.encoded.index.digest,
        catalog.encoded.index.bytes,
    )
    assert decode(catalog.encoded.index, catalog.encoded.shards) == catalog.assembly.catalog
    assert catalog.files is None


def test_in_mode_direct_the_catalog_has_files_to_mount() -> None:
    catalog = build_server_catalog(server(image="example/server:1"), [SEARCH])

    assert catalog.files is not None
    assert '"name": "search"' in catalog.files["tools.json"]
    assert json.loads(catalog.files["catalog.json"])["digest"] == catalog.digest
    assert catalog.size == files_size(catalog.files)
    assert catalog.encoded is None


def test_settings_that_are_not_in_the_files_do_not_change_the_digest() -> None:
    own = build_server_catalog(server(image="example/server:1"), [SEARCH])
    calmer = server(image="example/server:1", config={"requestTimeout": "1m"})
    assert build_server_catalog(calmer, [SEARCH]).digest == own.digest
    assert build_server_catalog(server(image="example/server:1"), []).digest != own.digest


@pytest.mark.parametrize(
    ("redis", "called"),
    [
        ({"serviceName": "cache"}, {Key("demo", "cache"): {6379}}),
        ({"address": "cache.data.svc", "port": 6380}, {Key("data", "cache"): {6380}}),
        ({"address": "redis.example.com"}, {}),
    ],
)
def test_the_redis_of_a_direct_server_is_among_the_called_services(
    redis: dict[str, Any], called: dict[Key, set[int]]
) -> None:
    own = server(image="example/server:1", redis=redis)
    assert build_server_catalog(own, []).called.services == called
    assert server_references(own).services == set(called)

"""Catalogs as gateways read them: refused with one sentence, or served completely."""

from __future__ import annotations

import copy
import functools
import gzip
import hashlib
import json
from typing import Any

from pydantic import ValidationError

from fuzz.feed import Feed
from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import Catalog, Header, ResponseMapping, SecretKey, digest
from mcp_operator.api.shards import Index, ShardError, decode, encode
from mcp_operator.gateway.table import Table
from support.entries import argument, backend, catalog, prompt, resource, tool
from support.identity import API_KEYS

KEY = SecretKey(namespace="demo", name="login", key="token")


@functools.cache
def base() -> Any:
    """Return a catalog with every kind of entry, as JSON."""
    full = backend(
        "/orders/{id}",
        argument("id", "path", style="label", required=True),
        argument("q", default=1, enum=("a", "b")),
        query=(Header(name="v", value="1"),),
        headers=(Header(name="X-Key", secret=KEY),),
        timeout_seconds=3.0,
    )
    schema = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^a+$"}}}
    response = ResponseMapping(json_path="$.items", error_when="status > 300")
    rule = AccessRule(tools=("get-*",), any_scope=("read",))
    whole = catalog(
        tool("get", full, input_schema=schema, output_schema=schema, response=response),
        tool("find"),
        prompt("Hello {{name}}", name="hello", variables=({"name": "name"},)),
        resource("docs", uri="docs://a", text="content"),
        resource("orders", uri_template="orders://{id}{?q*}", backend=full),
        auth=API_KEYS.model_copy(update={"rules": (rule,)}),
    )
    return json.loads(whole.canonical())


def check(data: bytes) -> None:
    """Read an index and a catalog, changed in some places or of arbitrary bytes."""
    feed = Feed(data)
    mode = feed.byte() % 4
    if mode == 0:
        content = feed.rest()
    else:
        value = copy.deepcopy(base())
        for _ in range(mode):
            _change(feed, value)
        content = json.dumps(value).encode()
    _check_catalog(content)
    _check_index(feed.rest() or content)


def _change(feed: Feed, value: Any) -> None:
    """Replace, remove or add a part of a value."""
    while True:
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        if not keys:
            return
        key = feed.pick(keys)
        if isinstance(value[key], dict | list) and value[key] and feed.byte() % 4:
            value = value[key]
            continue
        match feed.byte() % 4:
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[feed.text()] = feed.value()
            case _:
                value[key] = feed.value()
        return


def _check_catalog(content: bytes) -> None:
    packed = gzip.compress(content, compresslevel=1, mtime=0)
    index = Index(
        digest=digest(content), bytes=len(content), shards=(hashlib.sha256(packed).hexdigest(),)
    )
    try:
        read = decode(index, [packed])
    except ShardError:
        return
    again = encode(read)
    assert decode(again.index, again.shards) == read
    assert Catalog.model_validate_json(read.canonical()).canonical() == read.canonical()
    table = Table(read, index.digest)
    for why in table.rejected.values():
        assert "cannot compile" not in why, why
    for one in table.tools:
        table.checked_arguments(one, {"id": None, "q": [1]})
    for entry in (*table.resources.values(), *table.templates):
        table.match(entry.uri or entry.uri_template)


def _check_index(text: bytes) -> None:
    try:
        index = Index.model_validate_json(text)
    except ValidationError:
        return
    try:
        decode(index, [text] * min(len(index.shards), 3))
    except ShardError:
        return

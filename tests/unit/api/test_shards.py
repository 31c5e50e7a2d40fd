"""A catalog is split into shards, and only the same catalog can be decoded from them."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.catalog import Catalog, ResponseMapping, SecretKey, digest
from mcp_operator.api.prompts import PromptVariable
from mcp_operator.api.shards import (
    MAX_CATALOG_BYTES,
    EncodedCatalog,
    Index,
    ShardError,
    decode,
    encode,
)
from support.entries import argument, backend, catalog, prompt, resource, tool

FEW = settings(max_examples=40)
EXAMPLE = catalog(
    tool(
        "search",
        backend("/orders/{id}", argument("id", "path"), argument("q", default="all")),
        output_schema={"type": "object"},
        response=ResponseMapping(structured="Never"),
    ),
    prompt("Say {{what}}", variables=(PromptVariable(name="what", default=""),)),
    resource("guide", uri="docs://guide", text="Grüße, 世界"),
    resource("logo", uri="docs://logo", blob="AAEC", annotations={"priority": 0.5}),
    resource("key", secret=SecretKey(namespace="demo", name="s", key="k"), uri="docs://key"),
    resource("orders", uri_template="docs://{id}", backend=backend("/{id}")),
)
ENCODED = encode(EXAMPLE, shard_bytes=200)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.one_of(
    st.builds(tool, TEXTS, description=TEXTS, input_schema=st.dictionaries(TEXTS, VALUES)),
    st.builds(prompt, TEXTS, name=TEXTS, title=TEXTS),
    st.builds(resource, TEXTS, uri=TEXTS, text=TEXTS),
)


def altered(**fields: Any) -> Index:
    return ENCODED.index.model_copy(update=fields)


def sealed(content: bytes) -> EncodedCatalog:
    """Encode content that does not have to be a catalog."""
    packed = gzip.compress(content, mtime=0)
    index = Index(
        digest=digest(content), bytes=len(content), shards=(hashlib.sha256(packed).hexdigest(),)
    )
    return EncodedCatalog(index, (packed,))


def test_the_example_has_several_shards() -> None:
    assert len(ENCODED.shards) > 2
    assert {len(shard) for shard in ENCODED.shards[:-1]} == {200}


@FEW
@given(st.lists(ENTRIES, max_size=4), st.integers(1, 500))
def test_decoding_an_encoded_catalog_returns_the_same_catalog(
    entries: list[Any], size: int
) -> None:
    original = catalog(*entries)
    encoded = encode(original, size)
    decoded = decode(encoded.index, encoded.shards)
    assert decoded == original
    assert decoded.canonical() == original.canonical()


def test_an_index_is_the_same_after_writing_and_reading_it_as_json() -> None:
    text = ENCODED.index.model_dump_json(by_alias=True)
    assert Index.model_validate_json(text) == ENCODED.index


@FEW
@given(entries=st.lists(ENTRIES, max_size=4))
def test_the_encoding_omits_only_defaults(entries: list[Any]) -> None:
    whole = catalog(*entries)
    dumped = whole.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    assert json.loads(whole.canonical()) == {**dumped, "schemaVersion": 1}


def test_a_changed_copy_of_an_entry_does_not_reuse_its_cached_encoding() -> None:
    assert '"search"' in EXAMPLE.tools[0].canonical_json
    renamed = EXAMPLE.tools[0].model_copy(update={"name": "find"})
    assert '"find"' in renamed.canonical_json


def test_encoding_twice_gives_the_same_bytes() -> None:
    again = encode(Catalog.model_validate_json(EXAMPLE.canonical()), shard_bytes=200)
    assert again == ENCODED


@FEW
@given(st.data())
def test_a_changed_byte_of_a_shard_is_detected(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(ENCODED.shards) - 1))
    shard = bytearray(ENCODED.shards[number])
    shard[data.draw(st.integers(0, len(shard) - 1))] ^= data.draw(st.integers(1, 255))
    shards = [*ENCODED.shards]
    shards[number] = bytes(shard)
    with pytest.raises(ShardError, match=f"shard {number} is not the one that the index names"):
        decode(ENCODED.index, shards)


@FEW
@given(st.data())
def test_a_changed_byte_of_an_index_does_not_decode_to_another_catalog(data: st.DataObject) -> None:
    text = bytearray(ENCODED.index.model_dump_json(by_alias=True).encode())
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 127))
    try:
        index = Index.model_validate_json(bytes(text))
        decoded = decode(index, ENCODED.shards)
    except ValueError:  # a ShardError, or not an index
        return
    assert decoded == EXAMPLE


@pytest.mark.parametrize(
    "shards",
    [ENCODED.shards[1:], (*ENCODED.shards, b""), ()],
    ids=["one-missing", "one-too-many", "none"],
)
def test_a_wrong_number_of_shards_is_rejected(shards: tuple[bytes, ...]) -> None:
    with pytest.raises(ShardError, match=f"shards, {len(shards)} were read"):
        decode(ENCODED.index, shards)


def test_shards_in_another_order_are_rejected() -> None:
    with pytest.raises(ShardError, match="shard 0"):
        decode(ENCODED.index, ENCODED.shards[::-1])


@pytest.mark.parametrize("size", [-2, -1, MAX_CATALOG_BYTES + 1])
def test_an_index_with_an_impossible_size_is_rejected(size: int) -> None:
    with pytest.raises(ShardError, match=f"the index names {size} bytes"):
        decode(altered(bytes=size), ENCODED.shards)


@pytest.mark.parametrize("error", [-1, 1])
def test_an_index_with_a_wrong_size_is_rejected(error: int) -> None:
    with pytest.raises(ShardError, match="hold another number"):
        decode(altered(bytes=ENCODED.index.bytes + error), ENCODED.shards)


def test_an_index_with_a_wrong_digest_is_rejected() -> None:
    with pytest.raises(ShardError, match="the digest"):
        decode(altered(digest="0" * 64), ENCODED.shards)


def test_shards_that_are_not_gzip_are_rejected() -> None:
    shard = b"not gzip"
    with pytest.raises(ShardError, match="not gzip"):
        decode(altered(shards=(hashlib.sha256(shard).hexdigest(),)), [shard])


def test_a_shard_that_unpacks_to_more_than_the_size_in_the_index_is_rejected() -> None:
    bomb = sealed(bytes(10_000_000))
    with pytest.raises(ShardError, match="hold another number"):
        decode(bomb.index.model_copy(update={"bytes": 10}), bomb.shards)


def test_content_that_is_not_a_catalog_is_rejected() -> None:
    other = sealed(b'{"kind": "List"}')
    with pytest.raises(ShardError, match="not a catalog that this release reads: server:"):
        decode(other.index, other.shards)


def test_a_catalog_of_another_schema_version_is_rejected() -> None:
    other = sealed(EXAMPLE.canonical().replace(b'"schemaVersion":1', b'"schemaVersion":3'))
    with pytest.raises(ShardError, match="schemaVersion"):
        decode(other.index, other.shards)


def test_an_error_about_unreadable_content_is_short_and_does_not_quote_it() -> None:
    entries = ",".join('{"name": "hush", "response": {"structured": "hush"}}' for _ in range(999))
    other = sealed(b'{"server": {"namespace": "a", "name": "b"}, "tools": [%s]}' % entries.encode())
    with pytest.raises(ShardError) as caught:
        decode(other.index, other.shards)
    assert len(str(caught.value)) < 200
    assert "hush" not in str(caught.value)


def test_fields_of_a_newer_operator_are_ignored() -> None:
    content = EXAMPLE.canonical().replace(b'"server":{', b'"server":{"newField":{"a":1},')
    newer = sealed(content)
    assert decode(newer.index, newer.shards) == EXAMPLE


def test_the_digest_of_a_catalog_depends_on_its_content() -> None:
    assert ENCODED.index.digest == hashlib.sha256(EXAMPLE.canonical()).hexdigest()
    renamed = encode(catalog(tool("other")))
    assert renamed.index.digest != encode(catalog(tool("search"))).index.digest

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bench.calibration import relative_work
from mcp_operator.api import jsonschema
from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.jsonschema import (
    MAX_ERRORS,
    MAX_SCHEMA_BYTES,
    CompiledSchema,
    SchemaError,
    check,
)
from support.hostile_schemas import unevaluated

WORST_VALIDATION = 20.0
"""CPU time that one validation may take on any schema that compiles, as a multiple of that of a
fixed piece of work of 10 to 20 ms. At most 1 is usual, and thousands where nothing is bounded."""


def doubling(levels: int) -> dict[str, Any]:
    definitions = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(levels)
    }
    return {"$defs": definitions | {f"d{levels}": {"type": "object"}}, "$ref": "#/$defs/d0"}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def test_errors_name_the_place_and_the_problem() -> None:
    schema = CompiledSchema(
        {
            "type": "object",
            "properties": {"lines": {"items": {"properties": {"qty": {"type": "integer"}}}}},
            "required": ["id"],
        }
    )
    assert schema.errors({"id": 1}) == []
    assert set(schema.errors({"lines": [{"qty": "x"}]})) == {
        'lines.0.qty: "x" is not of type "integer"',
        '"id" is a required property',
    }


def test_the_number_and_length_of_errors_are_limited() -> None:
    schema = CompiledSchema({"items": {"type": "integer"}})
    errors = schema.errors(["x" * 1000] * 20)
    assert len(errors) == MAX_ERRORS
    assert max(map(len, errors)) < 400


@pytest.mark.parametrize("scheme", ["http", "https", "file", "ftp"])
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
async def test_no_reference_is_fetched_from_the_network_or_a_file(
    scheme: str, keyword: str
) -> None:
    connections = 0

    def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with await asyncio.start_server(count, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        address = "/etc/hostname" if scheme == "file" else f"{host}:{port}/schema"
        with pytest.raises(SchemaError, match="refers to another document, which is never fetched"):
            await asyncio.to_thread(CompiledSchema, {keyword: f"{scheme}://{address}"})
    assert connections == 0


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"properties": []},
        {"pattern": "("},
        {"$ref": "#/$defs/absent"},
        {"$ref": "other.json"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$schema": 7},
        nested(40),
        {"description": "x" * MAX_SCHEMA_BYTES},
        doubling(20),
        {
            "$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(3000)},
            "$ref": "#/$defs/d0",
        },
    ],
    ids=lambda schema: str(schema)[:40],
)
def test_a_schema_that_cannot_be_served_is_rejected(schema: Any) -> None:
    with pytest.raises(SchemaError):
        CompiledSchema(schema)


@pytest.mark.parametrize("schema", [{"type": "strin"}, nested(40), nested(5000)])
def test_a_rejected_schema_is_rejected_on_every_check(schema: Any) -> None:
    for _ in range(2):
        with pytest.raises(SchemaError):
            check(schema)


def test_an_accepted_schema_is_not_compiled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[Any] = []

    class Counted(CompiledSchema):
        def __init__(self, schema: JsonObject) -> None:
            compiled.append(schema)
            super().__init__(schema)

    monkeypatch.setattr(jsonschema, "CompiledSchema", Counted)
    monkeypatch.setattr(jsonschema, "MAX_SOUND", 2)
    monkeypatch.setattr(jsonschema, "_sound", {})
    for number in (1, 1, 2, 1, 3, 3, 1):  # the third evicts the first
        check({"type": "object", "minProperties": number})
    assert [schema["minProperties"] for schema in compiled] == [1, 2, 3, 1]


def test_references_within_a_schema_and_cycles_are_accepted() -> None:
    tree = CompiledSchema(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "n": {"type": "integer"}},
            "$defs": {"a/b": {"anyOf": [{"type": "null"}]}},
            "anyOf": [{"$ref": "#/$defs/a~1b/anyOf/0"}, {"type": "object"}],
        }
    )
    assert not tree.errors({"left": {"n": 1}, "right": {"left": {"n": 2}}})
    assert tree.errors({"left": {"n": "x"}})
    assert CompiledSchema({"$ref": "#"}).errors({}) == []
    assert CompiledSchema(doubling(8)).errors({}) == []


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("^(a+)+$", "a" * 50_000 + "!"),
        ("^(a|aa)+$", "a" * 50_000 + "!"),
        ("(x+x+)+y", "x" * 50_000),
        ("^(?=(a+)+$)b", "a" * 50_000 + "!"),
        (r"^(a+)\1+$", "a" * 5_000 + "!"),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 50_000),
    ],
)
def test_matching_a_pattern_takes_bounded_work(pattern: str, value: str) -> None:
    schema = CompiledSchema({"pattern": pattern})
    assert schema.errors(value)
    assert relative_work(lambda: schema.errors(value)) < WORST_VALIDATION


def test_a_pattern_can_use_look_around() -> None:
    schema = CompiledSchema({"pattern": "^(?=.*[0-9])(?=.*[a-z]).{4,}$"})
    assert not schema.errors("abc1")
    assert schema.errors("abcd")


ALTERNATIVES = {"anyOf": [{"type": "integer"}, {"type": "boolean"}, {"type": "null"}]}

RECURSIVE = {
    "$defs": {
        "filter": {
            "anyOf": [
                {"properties": {"not": {"$ref": "#/$defs/filter"}}, "required": ["a"]},
                {"properties": {"not": {"$ref": "#/$defs/filter"}}, "required": ["b"]},
            ]
        }
    },
    "properties": {"filter": {"$ref": "#/$defs/filter"}},
}


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"not": value}
    return value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubling(10), {"a": 1}),
        (doubling(10), []),
        ({"items": {"type": "integer"}}, ["x"] * 200_000),
        ({"properties": {"xs": {"items": ALTERNATIVES}}}, {"xs": ["x"] * 200_000}),
        ({"additionalProperties": ALTERNATIVES}, {f"k{n}": "x" for n in range(50_000)}),
        ({"properties": {"s": ALTERNATIVES}}, {"s": "x" * 4_000_000}),
        ({"items": {"type": "integer"}}, ["x"] * 3900),
        ({"items": ALTERNATIVES}, ["x"] * 900),
        ({"items": {"anyOf": [{"const": n} for n in range(100)]}}, ["x"] * 38),
        (RECURSIVE, {"filter": deep(100)}),
        (RECURSIVE, {"filter": deep(5)}),
        ({"$ref": "#/$defs/filter", **RECURSIVE}, deep(100)),
        (
            {"propertyNames": {"enum": [str(n) for n in range(15_000)]}},
            {f"q{n}": 1 for n in range(3000)},
        ),
        ({"items": {"not": {"enum": [{"a": n} for n in range(9000)]}}}, [{"a": 1}] * 1000),
        ({"required": [f"p{n}" for n in range(18_000)]}, {}),
        (unevaluated("anyOf", 7), {"a": 1}),
    ],
    ids=lambda case: str(case)[:40],
)
def test_checking_a_value_takes_bounded_work(schema: Any, value: Any) -> None:
    compiled = CompiledSchema(schema)
    assert relative_work(lambda: compiled.errors(value)) < WORST_VALIDATION


def test_an_error_in_a_value_that_is_too_large_to_explain_has_its_place() -> None:
    properties = {"a/b~c": {"items": {"type": "integer"}}, "ok": {"type": "string"}, "absent": {}}
    schema = CompiledSchema({"properties": properties, "required": ["id", "ok"]})
    assert schema.errors({"a/b~c": ["x"] * 50_000, "ok": ""}) == [
        '"id" is a required property',
        "a/b~c: the value does not match the schema",
    ]
    assert CompiledSchema({"items": {"type": "integer"}}).errors(["x"] * 50_000) == [
        "the value does not match the schema"
    ]


@pytest.mark.parametrize(
    "name", ["a b", "50%", "%20", "é", "\U0001f600", "#", "?", "a\nb", "", "$ref"]
)
@pytest.mark.parametrize("identifier", [{}, {"$id": "https://example.com/tool"}])
def test_an_error_has_its_place_for_any_property_name(
    name: str, identifier: dict[str, str]
) -> None:
    numbers = {"items": {"$ref": "#/$defs/number"}}
    schema = CompiledSchema(
        {**identifier, "$defs": {"number": {"type": "integer"}}, "properties": {name: numbers}}
    )
    assert schema.errors({name: ["x"] * 50_000}) == [f"{name}: the value does not match the schema"]


def test_an_error_does_not_repeat_a_long_list() -> None:
    names = CompiledSchema(
        {"properties": {"o": {"propertyNames": {"enum": [f"p{n}" for n in range(15_000)]}}}}
    )
    assert names.errors({"o": {f"q{n}": 1 for n in range(3000)}}) == [
        "o: the value does not match the schema"
    ]
    [error] = CompiledSchema({"enum": [f"p{n}" for n in range(500)]}).errors("q")
    assert error.startswith('"q" is not one of "p0", "p1" or 498 other candidates')


def test_a_large_schema_without_alternatives_is_explained_in_full() -> None:
    properties = {
        f"p{n}": {"type": "object", "properties": {"a": {"type": "integer"}}} for n in range(500)
    }
    value = {f"p{n}": {"a": 1} for n in range(100)} | {"p7": {"a": "x"}}
    assert CompiledSchema({"properties": properties}).errors(value) == [
        'p7.a: "x" is not of type "integer"'
    ]
    tree = {"properties": {"left": {"$ref": "#"}, "n": {"type": "integer"}}}
    deep_tree: dict[str, Any] = {"n": "x"}
    for _ in range(10):
        deep_tree = {"left": deep_tree}
    assert CompiledSchema(tree).errors(deep_tree) == [
        ".".join(["left"] * 10) + '.n: "x" is not of type "integer"'
    ]


def test_a_shallow_value_of_a_recursive_schema_is_explained() -> None:
    (error,) = CompiledSchema(RECURSIVE).errors({"filter": {}})
    assert error.startswith("filter: {} is not valid under any of the schemas")
    assert CompiledSchema(RECURSIVE).errors({"filter": deep(30)}) == [
        "filter: the value does not match the schema"
    ]


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"\ud800": 1}, {"a": {"b": ["x\udfff"]}}])
def test_a_lone_surrogate_is_reported_like_other_errors(value: Any) -> None:
    schema = CompiledSchema({"properties": {"a": {"type": "integer"}}, "required": ["c"]})
    assert schema.errors(value)
    assert "surrogate" in CompiledSchema({"const": {}}).errors(value)[0]


@pytest.mark.parametrize("schema", [{"type": "array"}, {"enum": [1]}, {"const": {}}])
def test_a_value_that_is_nested_too_deeply_is_rejected(schema: dict[str, Any]) -> None:
    assert CompiledSchema(schema).errors(deep(900)) == [
        "the value is nested too deeply to be checked"
    ]

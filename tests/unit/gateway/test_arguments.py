"""Arguments of a call are converted to what the input schema of the tool requires."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.api.jsonschema import CompiledSchema
from mcp_operator.gateway.arguments import ArgumentForm
from mcp_operator.gateway.schema_parts import MAX_KEPT, SchemaParts


def checked(arguments: Any, properties: Any = None, **schema: Any) -> tuple[Any, list[str]]:
    whole = {"type": "object", "properties": properties or {}, **schema}
    return ArgumentForm(whole, CompiledSchema(whole)).checked(arguments)


def sent(arguments: Any, properties: Any = None, **schema: Any) -> Any:
    result, errors = checked(arguments, properties, **schema)
    assert errors == []
    return result


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
NULLABLE = [
    {"type": ["string", "null"]},
    {},
    {"enum": ["a", None]},
    {"anyOf": [TEXT, {"type": "null"}]},
    {"const": None},
]
NOT_NULLABLE = [
    TEXT,
    NUMBER,
    {"enum": ["a", "b"]},
    {"const": 1},
    {"oneOf": [TEXT, NUMBER]},
    {"allOf": [{}, TEXT]},
    {"$ref": "#/$defs/text"},
]


@pytest.mark.parametrize("schema", NOT_NULLABLE, ids=json.dumps)
def test_null_is_dropped_where_the_schema_does_not_allow_it(schema: Any) -> None:
    assert sent({"a": None, "b": "x"}, {"a": schema, "b": TEXT}, **{"$defs": {"text": TEXT}}) == {
        "b": "x"
    }


@pytest.mark.parametrize("schema", NULLABLE, ids=json.dumps)
def test_null_is_sent_where_the_schema_allows_it(schema: Any) -> None:
    assert sent({"a": None, "b": None}, {"a": schema, "b": TEXT}) == {"a": None}


CHOICE_OF_ITSELF = {"anyOf": [{"$ref": "#/$defs/x"}, TEXT]}
CHOICES_OF_CHOICES = {f"x{n}": {"anyOf": [{"$ref": f"#/$defs/x{n + 1}"}] * 2} for n in range(12)}


@pytest.mark.parametrize(
    ("definitions", "reference"),
    [({"x": CHOICE_OF_ITSELF}, "x"), ({**CHOICES_OF_CHOICES, "x12": TEXT}, "x0")],
    ids=["itself", "choices of choices"],
)
def test_nested_or_recursive_choices_are_followed_to_a_bounded_depth(
    definitions: Any, reference: str
) -> None:
    items = {"items": {"properties": {"a": {"$ref": f"#/$defs/{reference}"}}}}
    result, _ = checked({"b": [{"a": None}] * 1000}, {"b": items}, **{"$defs": definitions})
    assert len(result["b"]) == 1000


A_OR_B = {
    "oneOf": [
        {"properties": {"kind": {"const": "a"}, "t": TEXT, "n": {"default": 1}}},
        {"properties": {"kind": {"const": "b"}, "t": {"type": ["string", "null"]}}},
    ]
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"additionalProperties": TEXT}, {"x": None, "y": "1"}, {"y": "1"}),
        ({"patternProperties": {"^x": TEXT}}, {"x": None, "y": None}, {"y": None}),
        ({"prefixItems": [TEXT, {"properties": {"b": TEXT}}]}, ["a", {"b": None}], ["a", {}]),
        ({"anyOf": [TEXT, {"properties": {"b": TEXT}}]}, {"b": None}, {}),
        ({"anyOf": [{"items": {"properties": {"b": TEXT}}, "type": "array"}, {"type": "object"}]},
         [{"b": None}], [{}]),
        (A_OR_B, {"kind": "a", "t": None}, {"kind": "a", "n": 1}),
        (A_OR_B, {"kind": "b", "t": None}, {"kind": "b", "t": None}),
        ({"oneOf": [{"required": ["b"], "properties": {"c": TEXT}}, {"required": ["d"]}]},
         {"b": 1, "c": None}, {"b": 1}),
    ],
)  # fmt: skip
def test_null_is_dropped_under_every_keyword_that_describes_values(
    schema: Any, value: Any, expected: Any
) -> None:
    assert sent({"a": value}, {"a": schema}) == {"a": expected}


def test_null_in_a_list_that_does_not_allow_it_is_an_error() -> None:
    _, errors = checked({"a": [1, None]}, {"a": {"items": NUMBER}})
    assert errors == ['a.1: null is not of type "integer"']


def test_the_number_of_evaluated_choices_is_bounded() -> None:
    item = {"oneOf": [{"properties": {"k": {"const": n}, "t": TEXT}} for n in range(200)]}
    value = [{"k": n % 200, "t": None} for n in range(2000)]
    result, _ = checked({"a": value}, {"a": {"items": item}})
    assert result["a"][0] == {"k": 0}
    assert result["a"][-1] == {"k": 199, "t": None}  # beyond the bound, so not converted


def test_calls_in_several_threads_have_separate_bounds() -> None:
    item = {"oneOf": [{"properties": {"k": {"const": n}, "t": TEXT}} for n in range(200)]}
    schema = {"type": "object", "properties": {"a": {"items": item}}}
    form = ArgumentForm(schema, CompiledSchema(schema))
    few = {"a": [{"k": n, "t": None} for n in range(40)]}
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(form.checked, [few] * 16))
    assert outcomes == [({"a": [{"k": n} for n in range(40)]}, [])] * 16


def test_concurrent_threads_analyze_a_schema_correctly(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "object", "properties": {"id": TEXT}}
    form = ArgumentForm(schema, CompiledSchema(schema))
    takes_null, others = SchemaParts._takes_null, list[Any]()

    def meanwhile(parts: SchemaParts, schema: Any, level: int) -> bool:
        monkeypatch.setattr(SchemaParts, "_takes_null", takes_null)
        with ThreadPoolExecutor() as pool:
            others.append(pool.submit(form.checked, {"id": None}).result())
        return takes_null(parts, schema, level)

    monkeypatch.setattr(SchemaParts, "_takes_null", meanwhile)
    assert form.checked({"id": None}) == ({}, [])
    assert others == [({}, [])]


def test_the_cache_for_a_schema_is_bounded_for_any_arguments() -> None:
    letters = "abcdefghijkl"
    schema = {"type": "object", "patternProperties": dict.fromkeys(letters, NUMBER)}
    form = ArgumentForm(schema, CompiledSchema(schema))
    for number in range(1 << len(letters)):
        name = "".join(one for bit, one in enumerate(letters) if number >> bit & 1)
        result, errors = form.checked({name: 5.0})
        assert not errors
        assert json.dumps(result) in {"{}", f'{{"{name}": 5}}'}
    assert len(form.parts.kept) <= MAX_KEPT


def test_null_for_a_required_property_is_an_error() -> None:
    result, errors = checked({"a": None}, {"a": TEXT}, required=["a"])
    assert result == {"a": None}
    assert errors == ['a: null is not of type "string"']


def test_null_is_dropped_in_nested_objects_and_lists() -> None:
    inner = {"type": "object", "properties": {"b": TEXT, "c": NUMBER}, "required": ["c"]}
    properties = {"a": inner, "list": {"type": "array", "items": inner}}
    assert sent({"a": {"b": None, "c": 1}, "list": [{"b": None, "c": 2}]}, properties) == {
        "a": {"c": 1},
        "list": [{"c": 2}],
    }


def test_errors_do_not_mention_dropped_nulls() -> None:
    _, errors = checked({"a": None, "b": 1}, {"a": TEXT, "b": TEXT})
    assert errors == ['b: 1 is not of type "string"']


def test_defaults_are_filled_in() -> None:
    properties = {"version": {"type": "integer", "default": 2}, "q": TEXT}
    assert sent({}, properties, required=["version"]) == {"version": 2}
    assert sent({"version": 3}, properties, required=["version"]) == {"version": 3}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/x"},
        {"allOf": [{"default": 2}, NUMBER]},
        {"anyOf": [NUMBER, {"type": "null"}], "default": 2},
    ],
)
def test_a_default_is_found_behind_references_and_choices(schema: Any) -> None:
    definitions = {"$defs": {"x": {"type": "integer", "default": 2}}}
    assert sent({}, {"a": schema}, **definitions) == {"a": 2}


def test_null_is_replaced_by_the_default() -> None:
    assert sent({"a": None}, {"a": {"type": "integer", "default": 2}}) == {"a": 2}


def test_defaults_are_filled_in_within_nested_objects_that_are_present() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    assert sent({"a": {}}, {"a": inner, "b": inner}) == {"a": {"n": 1}}
    assert sent({"a": {"x": {}}}, {"a": {"additionalProperties": inner}}) == {"a": {"x": {"n": 1}}}
    assert sent({"a": [{}]}, {"a": {"prefixItems": [inner]}}) == {"a": [{"n": 1}]}
    assert sent({"a": {}}, {"a": {"anyOf": [TEXT, inner]}}) == {"a": {"n": 1}}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "integer", "default": "x"}}},
        {"properties": {"a": {"default": 1}, "b": {}}, "not": {"required": ["a"]}},
    ],
)
def test_a_default_that_makes_a_call_invalid_is_not_filled_in(schema: Any) -> None:
    assert sent({}, **schema) == {}


def test_a_default_of_null_is_not_filled_in() -> None:
    assert sent({}, {"a": {"type": ["string", "null"], "default": None}}) == {}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (NUMBER, 5.0, 5),
        ({"type": ["integer", "null"]}, -3.0, -3),
        ({"anyOf": [NUMBER, {"type": "null"}]}, 5.0, 5),
        ({"type": "number"}, 5.0, 5.0),
        ({"type": ["integer", "number"]}, 5.0, 5.0),
        ({}, 5.0, 5.0),
        ({"type": "array", "items": NUMBER}, [1.0, 2], [1, 2]),
        ({"type": "object", "properties": {"b": NUMBER}}, {"b": 1.0}, {"b": 1}),
        (NUMBER, 1e20, 10**20),
        (NUMBER, 1e21, 1e21),
        ({"items": {"items": NUMBER}}, [[5.0], [1.0, 2]], [[5], [1, 2]]),
        ({"prefixItems": [NUMBER, TEXT], "items": NUMBER}, [5.0, "x", 7.0], [5, "x", 7]),
        ({"prefixItems": [{"type": "number"}], "items": NUMBER}, [5.0, 7.0], [5.0, 7]),
        ({"additionalProperties": NUMBER}, {"x": 5.0}, {"x": 5}),
        ({"unevaluatedProperties": NUMBER}, {"x": 5.0}, {"x": 5}),
        ({"patternProperties": {"^x-": NUMBER}}, {"x-a": 5.0, "b": 5.0}, {"x-a": 5, "b": 5.0}),
        (
            {"patternProperties": {"^x-": {}}, "additionalProperties": NUMBER},
            {"x-a": 5.0, "b": 5.0},
            {"x-a": 5.0, "b": 5},
        ),
        ({"anyOf": [NUMBER, TEXT]}, 5.0, 5),
        ({"anyOf": [{"properties": {"v": NUMBER}}, {"items": NUMBER}]}, {"v": 5.0}, {"v": 5}),
        ({"if": {"type": "object"}, "then": {"properties": {"v": NUMBER}}}, {"v": 5.0}, {"v": 5}),
        ({"enum": [5, 6]}, 5.0, 5),
        ({"const": 5}, 5.0, 5),
        ({"enum": ["a", 5]}, 5.0, 5),
    ],
)
def test_a_whole_number_is_sent_as_an_integer_where_the_schema_requires_one(
    schema: Any, value: Any, expected: Any
) -> None:
    assert json.dumps(sent({"a": value}, {"a": schema})) == json.dumps({"a": expected})


def test_properties_that_are_neither_named_nor_match_a_pattern_are_dropped() -> None:
    schema = {"patternProperties": {"^x-": {"type": "string"}}}
    assert sent({"a": "1", "x-b": "2", "toolCallId": "3"}, {"a": TEXT}, **schema) == {
        "a": "1",
        "x-b": "2",
    }
    _, errors = checked({"x-b": 2}, **schema)
    assert errors == ['x-b: 2 is not of type "string"']


def test_arguments_of_a_tool_that_allows_none_are_dropped() -> None:
    assert sent({"toolCallId": "1"}, additionalProperties=False) == {}
    assert sent({"toolCallId": "1"}) == {"toolCallId": "1"}  # the mapping to a request ignores it


def test_an_additional_property_that_the_schema_forbids_is_an_error() -> None:
    _, errors = checked({"b": 1}, {"a": TEXT}, additionalProperties=False)
    assert "additional" in errors[0].lower()


def test_a_recursive_schema_is_followed_only_as_deep_as_the_value() -> None:
    node = {"properties": {"n": {"type": "integer", "default": 1}, "next": {"$ref": "#/$defs/x"}}}
    assert sent({"next": {"next": {}}}, **{"$ref": "#/$defs/x", "$defs": {"x": node}}) == {
        "n": 1,
        "next": {"n": 1, "next": {"n": 1}},
    }
    loop = {"anyOf": [{"$ref": "#/$defs/x"}, {"type": "null"}]}
    checked({"a": 1.0}, {"a": {"$ref": "#/$defs/x"}}, **{"$defs": {"x": loop}})  # it ends


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(arguments=st.dictionaries(st.sampled_from("abc"), json_values))
def test_valid_arguments_are_not_changed(arguments: Any) -> None:
    properties = {"a": TEXT, "b": {"type": "array"}, "c": {}}
    result, errors = checked(arguments, properties)
    before = json.dumps(arguments)
    schema = CompiledSchema({"type": "object", "properties": properties})
    if not schema.errors(arguments):
        assert (result, errors) == (arguments, [])
    assert json.dumps(arguments) == before

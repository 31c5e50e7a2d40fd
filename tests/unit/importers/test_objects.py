"""The imported objects, and their YAML."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.api.validation import problems
from mcp_operator.importers.options import Backend
from support.openapi_documents import (
    REAL,
    get,
    imported,
    objects_in,
    openapi,
    post,
    real,
    text_of,
    tool,
    tools,
)


def test_the_objects_have_the_given_options() -> None:
    outcome = imported(
        openapi(get()),
        name="pets",
        namespace="shop",
        backend=Backend("petstore", "backends", 8080, "https"),
        labels={"team": "a"},
        server="mcp",
        tool_prefix="pets_",
    )

    tool_object, server = outcome.objects
    assert tool_object["metadata"] == {"name": "pets", "namespace": "shop", "labels": {"team": "a"}}
    assert tool_object["spec"]["service"] == {
        "name": "petstore",
        "namespace": "backends",
        "port": 8080,
        "scheme": "https",
    }
    assert tool_object["spec"]["tools"][0]["name"] == "pets_list"
    assert server == {
        "apiVersion": "mcp-operator.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "mcp", "namespace": "shop"},
        "spec": {"toolSelector": {"matchLabels": {"team": "a"}}},
    }


def test_names_that_are_not_given_are_derived_from_the_title() -> None:
    document = openapi(get())
    document["info"] = {"title": "The Shop: Orders & more!"}

    (obj,) = imported(document).objects
    assert obj["metadata"] == {
        "name": "the-shop-orders-more",
        "labels": {"mcp-operator.dev/import": "the-shop-orders-more"},
    }
    assert obj["spec"]["service"] == {"name": "the-shop-orders-more", "port": 80}


@pytest.mark.parametrize("title", [None, "", "…"])
def test_a_document_without_a_title_is_named_openapi(title: str | None) -> None:
    document = openapi(get())
    document["info"] = {"title": title}

    assert imported(document).name == "openapi"


def test_many_tools_are_split_by_tag_and_then_by_number() -> None:
    tags = [["Pets"]] * 130 + [["Store"]] * 3 + [[]]
    document = openapi({f"/{n}": {"get": {"tags": tag}} for n, tag in enumerate(tags)})

    objects = imported(document).objects
    assert [(obj["metadata"]["name"], len(obj["spec"]["tools"])) for obj in objects] == [
        ("shop-pets", 128),
        ("shop-pets-2", 2),
        ("shop-store", 3),
        ("shop-other", 1),
    ]


def test_large_tools_are_split_into_objects_of_at_most_200_kilobytes() -> None:
    fields = {f"field_{n}": {"type": "string"} for n in range(1000)}
    paths = {f"/{n}": post({"type": "object", "properties": fields})["/things"] for n in range(20)}

    objects = imported(openapi(paths)).objects
    assert len(objects) > 1
    assert all(len(json.dumps(obj)) <= 200 * 1024 for obj in objects)


@pytest.mark.parametrize(
    ("method", "hints"),
    [
        ("get", {"readOnlyHint": True}),
        ("head", {"readOnlyHint": True}),
        ("options", {"readOnlyHint": True}),
        ("put", {"idempotentHint": True}),
        ("delete", {"destructiveHint": True, "idempotentHint": True}),
        ("post", None),
        ("patch", None),
    ],
)
def test_the_annotations_of_a_tool_depend_on_the_method(
    method: str, hints: dict[str, Any] | None
) -> None:
    entry = tool(openapi({"/x": {method: {}}}))

    assert entry["method"] == method.upper()
    assert entry.get("annotations") == hints


def test_a_trace_request_is_skipped_with_the_reason() -> None:
    outcome = imported(openapi({"/x": {"trace": {}, "get": {}}}))

    assert outcome.report.skipped == (("TRACE /x", "TRACE only returns the request itself"),)


@pytest.mark.parametrize(
    ("operation", "description"),
    [
        ({"summary": "List pets", "description": "Lists all of them."}, "List pets. Lists all of"),
        ({"summary": "List pets", "description": "List pets."}, "List pets"),
        ({"summary": "List pets.", "description": "List pets by age."}, "List pets by age."),
        ({"summary": "List pets", "deprecated": True}, "Deprecated. List pets"),
        ({}, "GET /x"),
    ],
)
def test_a_tool_has_the_description_of_the_operation(
    operation: dict[str, Any], description: str
) -> None:
    assert tool(openapi({"/x": {"get": operation}}))["description"].startswith(description)


def test_a_long_description_is_shortened_after_a_sentence() -> None:
    text = "A sentence of words. " * 100

    described = tool(openapi({"/x": {"get": {"description": text}}}))["description"]
    assert len(described) <= 1024
    assert described.endswith("of words.")


def test_the_header_comment_names_the_source() -> None:
    head = text_of(imported(openapi(get()))).partition("---\n")[0]

    assert head == (
        "# 1 tool of Shop 1\n"
        "# Made by `mcp-operator import openapi`. A new import replaces what is changed here.\n"
        "#\n"
        "# source: shop.json\n"
        f"# sha256: {'0' * 64}\n"
    )


TRICKY = ["y", "N", "on", "1e3", "0o7", "1_000", "12:30", "2020-01-01", "=", "~", "null", "-", ""]


def test_ambiguous_yaml_strings_are_quoted() -> None:
    schema = {"type": "object", "properties": {"y": {"type": "string", "enum": TRICKY}}}
    text = text_of(imported(openapi(post(schema))))

    ((entry,),) = [obj["spec"]["tools"] for obj in objects_in(text)]
    assert entry["inputSchema"]["properties"]["y"]["enum"] == TRICKY
    assert "'y':" in text
    assert "'1e3'" in text
    assert "'0o7'" in text


def test_a_text_of_several_lines_is_a_literal_block() -> None:
    operation = {"description": "First line.  \n\n- a list\n- of two\n"}

    text = text_of(imported(openapi({"/x": {"get": operation}})))
    assert "    description: |-\n      First line.\n\n      - a list\n      - of two\n" in text


texts = st.text(max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
schemas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["object", "array", "string", "integer", "file", 7]) | values,
        "properties": st.dictionaries(texts, values, max_size=4),
        "required": st.lists(texts, max_size=3) | values,
        "items": values,
        "enum": values,
        "default": values,
        "example": values,
        "description": texts | values,
        "pattern": texts,
        "nullable": values,
        "allOf": values,
        "oneOf": values,
        "additionalProperties": values,
        "$ref": st.sampled_from(["#/components/schemas/A", "#/x", "other.json"]) | texts,
        "discriminator": values,
    },
)


@given(
    schema=schemas, other=schemas | values, summary=texts, path=st.text("ab/{}?#. é", max_size=9)
)
def test_the_output_parses_to_the_imported_objects(
    schema: Any, other: Any, summary: str, path: str
) -> None:
    paths: Any = {"/good": {"get": {}}, f"/{path}": {"post": {"summary": summary}}}
    body = {"content": {"application/json": {"schema": schema}}}
    paths[f"/{path}"]["post"] |= {"requestBody": body, "parameters": [{"in": "query", **schema}]}
    outcome = imported(openapi(paths, components={"schemas": {"A": other}}), output_schemas=True)

    assert objects_in(text_of(outcome)) == list(outcome.objects)


@pytest.mark.parametrize("name", REAL)
def test_a_real_document_is_imported_completely(name: str) -> None:
    outcome = imported(real(name), output_schemas=True)

    assert outcome.report.skipped == ()
    assert outcome.report.tools == outcome.report.operations
    assert len(tools(real(name))) == outcome.report.operations
    assert objects_in(text_of(outcome)) == list(outcome.objects)


@pytest.mark.parametrize(
    "tags",
    [
        ("Pets (beta)", "pets beta"),
        ("pets", "pets 2"),
        ("日本", "한국"),
        ("t" * 80, "t" * 81),
    ],
)
@pytest.mark.parametrize("name", ["shop", "s" * 63])
def test_objects_have_different_names_for_any_tags(tags: tuple[str, str], name: str) -> None:
    given = [tags[0]] * 129 + [tags[1]] * 129
    document = openapi({f"/{n}": {"get": {"tags": [tag]}} for n, tag in enumerate(given)})

    objects = imported(document, name=name).objects
    names = [obj["metadata"]["name"] for obj in objects]
    assert len(set(names)) == len(names)
    assert [problem for obj in objects for problem in problems(obj)] == []
    assert sum(len(obj["spec"]["tools"]) for obj in objects) == len(given)

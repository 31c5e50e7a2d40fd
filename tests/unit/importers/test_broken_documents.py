"""Documents with invalid parts: everything else is imported, and the output is valid."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.validation import problems
from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.output import yaml_text
from support.openapi_documents import REAL, get, imported, objects_in, openapi, real, text_of

SCALARS: list[Any] = [None, True, False, 0, -1, 3.5, "", "x", "object", "\u202e\x00 a: b # c\n"]
REFERENCES: list[Any] = ["#/x", "#/components/schemas/Pet", {"$ref": "#/components/schemas/Pet"}]
NONSENSE = [*SCALARS, *REFERENCES, {"$ref": 5}, [], {}, [1], ["a", None], {"a": 1}, ["null"]]

SCHEMA = ("nullable", "allOf", "oneOf", "discriminator", "$ref", "items", "properties", "required")
OTHERS = (
    "readOnly",
    "format",
    "content",
    "style",
    "schema",
    "in",
    "name",
    "enum",
    "type",
    "security",
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for key, child in children:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def broken(document: Any, random: Random) -> Any:
    """Return a document with a few parts removed, replaced or added."""
    document = copy.deepcopy(document)
    for _ in range(random.randint(1, 12)):
        *path, last = random.choice(list(places(document)))
        node = document
        for key in path:
            node = node[key]
        nonsense = copy.deepcopy(random.choice(NONSENSE))
        if random.random() < 0.2:
            del node[last]
        elif isinstance(node, dict) and random.random() < 0.2:
            node[random.choice(SCHEMA + OTHERS)] = nonsense
        else:
            node[last] = nonsense
    return document


@pytest.mark.parametrize("name", REAL)
@settings(max_examples=60)
@given(seed=st.integers(min_value=0))
def test_invalid_parts_are_omitted_or_rejected_with_an_error(name: str, seed: int) -> None:
    document = broken(real(name), Random(seed))  # noqa: S311 - hypothesis chooses the seed
    try:
        outcome = imported(document, output_schemas=True)
    except OpenApiError:
        return
    assert [problem for obj in outcome.objects for problem in problems(obj)] == []
    assert objects_in(text_of(outcome)) == list(outcome.objects)


@pytest.mark.parametrize("type_", ["json", "", "JSON", "application/json; charset=utf-8"])
def test_an_invalid_media_type_is_read_as_json(type_: str) -> None:
    document = real("petstore3")
    body = document["paths"]["/user"]["post"]["requestBody"]
    body["content"] = {type_: body["content"]["application/json"]}

    tools = {tool["name"]: tool for tool in imported(document).objects[0]["spec"]["tools"]}
    assert "contentType" not in tools["createUser"].get("request", {})


EVIL = "Shop\x00\u2028\n---\nkind: Evil\r\x1b[2J\u202e"


@pytest.mark.parametrize("place", ["title", "version", "scheme", "description", "source"])
def test_no_text_of_a_document_can_end_a_comment(place: str) -> None:
    texts = {"title": "Shop", "version": "1", "scheme": "key", "description": "A key."}
    texts |= {place: EVIL}
    scheme = {"type": "http", "scheme": "bearer", "description": texts["description"]}
    document = openapi(
        get(),
        info={"title": texts["title"], "version": texts["version"]},
        components={"securitySchemes": {texts["scheme"]: scheme}},
        security=[{texts["scheme"]: []}],
    )
    outcome = imported(document)

    text = yaml_text(outcome, texts.get("source", "api.json"), "0" * 64, guessed=False)
    head = text[: text.index("---\napi")].splitlines()
    assert all(line.startswith("#") for line in head)
    assert text.isprintable() or set(filter(lambda one: not one.isprintable(), text)) == {"\n"}
    assert objects_in(text) == list(outcome.objects)


@pytest.mark.parametrize("place", ["path", "name", "reference"])
def test_no_text_of_a_document_can_end_a_line_of_the_report(place: str) -> None:
    texts = {"path": "/x", "name": "n", "reference": "#/x"} | {place: f"/{EVIL}"}
    parameter = {"name": texts["name"], "in": EVIL, "schema": {"$ref": texts["reference"]}}
    outcome = imported(openapi({texts["path"]: {"trace": {}, "get": {"parameters": [parameter]}}}))

    assert all(line.isprintable() for line in outcome.report.lines())
    assert [line.split()[0] for line in outcome.report.lines()] == ["skipped:", "note:", "2"]

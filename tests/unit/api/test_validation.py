"""The offline check beyond the negative cases: what it accepts, and that no input breaks it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.api.crd import DEFINITIONS, object_schema
from mcp_operator.api.structure import Problem, defaulted
from mcp_operator.api.validation import problems
from mcp_operator.core.meta import Object
from support.manifests import (
    ancestor_manifests,
    content,
    featured_manifests,
    manifest,
    migrated,
    prompt,
    server,
    tool,
    without,
)

FEATURED, ANCESTOR = featured_manifests(), ancestor_manifests()
KINDS = [one.resource.kind for one in DEFINITIONS]


def sentences(obj: Any) -> list[str]:
    return [str(problem) for problem in problems(obj)]


@pytest.mark.parametrize("obj", [obj for _, obj in FEATURED], ids=[name for name, _ in FEATURED])
def test_objects_that_use_every_field_are_accepted(obj: Object) -> None:
    assert sentences(obj) == []


@pytest.mark.parametrize("obj", [obj for _, obj in ANCESTOR], ids=[name for name, _ in ANCESTOR])
def test_manifests_of_the_ancestor_are_accepted_when_only_the_group_is_changed(obj: Object) -> None:
    assert sentences(migrated(obj)) == []


def test_the_group_of_the_ancestor_is_rejected() -> None:
    assert sentences(ANCESTOR[0][1]) == ["apiVersion: must be mcp-operator.dev/v1alpha1"]


@pytest.mark.parametrize("obj", [None, 1, "text", []])
def test_a_value_that_is_not_an_object_is_rejected(obj: Any) -> None:
    assert sentences(obj) == ["must be an object with apiVersion, kind, metadata and spec"]


def test_a_blob_that_is_not_ascii_is_rejected() -> None:
    obj = content(blob="\u00e9")
    del obj["spec"]["content"]["text"]
    assert sentences(obj) == ["spec.content.blob: must be of type byte: base64"]


def test_an_error_about_an_unknown_kind_lists_the_known_kinds() -> None:
    assert sentences({**tool(), "kind": "MCPAgent"}) == [
        "kind: must be one of MCPPrompt, MCPResource, MCPServer, MCPTool"
    ]


def test_the_status_of_an_object_in_a_file_is_not_checked() -> None:
    assert sentences({**tool(), "status": {"ready": "of another release"}}) == []


def test_an_error_about_a_misspelled_field_suggests_the_correct_one() -> None:
    assert sentences(tool(descripton="x")) == [
        "spec.descripton: unknown field; did you mean description?"
    ]


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (None, "metadata.name: Required value: give the object a name"),
        ({}, "metadata.name: Required value: give the object a name"),
        ({"name": 5}, "metadata.name: must consist of lower case"),
        ({"name": "n" * 254}, "metadata.name: must consist of lower case"),
        ({"name": "a", "labels": ["x"]}, "metadata.labels: must be of type object"),
        ({"name": "a", "labels": {"a/b/c": "x"}}, "metadata.labels[a/b/c]: name part must"),
        (
            {"name": "a", "annotations": {"a": True}},
            "metadata.annotations.a: must be of type string: put the value in quotes",
        ),
    ],
)
def test_metadata_is_checked(metadata: Any, sentence: str) -> None:
    (found,) = sentences({**tool(), "metadata": metadata})
    assert found.startswith(sentence)


def test_a_null_is_accepted_only_for_a_field_with_a_default() -> None:
    assert sentences(server(mode=None, port=None)) == []
    assert sentences(server(image=None)) == ['spec.image: must be of type string: "null"']


def test_rules_are_evaluated_with_the_defaults() -> None:
    """`mode` is omitted, and the rule that reads it is satisfied."""
    assert sentences(server(image="mine", command=["run"])) == []


def test_rules_are_not_evaluated_for_an_invalid_structure() -> None:
    assert sentences(server(mode=1, args=["x"])) == ['spec.mode: must be of type string: "integer"']


def test_all_problems_are_reported() -> None:
    wrong = server(port=0, redis={}, config={"requestTimeout": "0s"}, extra=1)
    assert {problem.field for problem in problems(wrong)} == {
        "spec.port",
        "spec.redis",
        "spec.config.requestTimeout",
        "spec.extra",
    }


def test_a_yaml_date_is_not_accepted_as_a_string() -> None:
    assert sentences(content(text=date(2026, 1, 1))) == [
        'spec.content.text: must be of type string: "object"'
    ]
    (found,) = sentences(prompt(variables=[{"name": "a", "enum": [date(2026, 1, 1)]}]))
    assert found.startswith("spec.variables[0].enum[0]: must be of type string")


def test_a_path_is_written_as_in_kubernetes() -> None:
    path = ("spec", "tools", 0, "x-y", "plain", 3)
    assert str(Problem(path, "no")) == "spec.tools[0][x-y].plain[3]: no"


def test_defaults_are_filled_in_at_every_depth() -> None:
    schema = next(object_schema(one) for one in DEFINITIONS if one.resource.kind == "MCPServer")
    filled = defaulted(schema, server(redis={"serviceName": "a"}, ingress={}))
    assert filled["spec"]["redis"] == {"serviceName": "a", "port": 6379}
    assert filled["spec"]["ingress"] == {"pathPrefix": "/mcp", "pathType": "Prefix"}
    assert filled["spec"]["mode"] == "Auto"
    assert "replicas" not in filled["spec"]


def test_a_missing_spec_is_reported_once() -> None:
    assert sentences(manifest("MCPPrompt", None)) == ["spec: Required value"]
    bare = {key: value for key, value in tool().items() if key != "spec"}
    assert sentences(bare) == ["spec: Required value"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(kind=st.sampled_from(KINDS), spec=JSON, metadata=JSON)
def test_no_yaml_value_breaks_the_check(kind: str, spec: Any, metadata: Any) -> None:
    obj = {"apiVersion": "mcp-operator.dev/v1alpha1", "kind": kind, "metadata": metadata}
    assert problems({**obj, "spec": spec})


SPECS = [(obj, path) for _, obj in FEATURED for path in obj["spec"]]


@given(chosen=st.sampled_from(SPECS), value=JSON)
def test_no_value_of_any_field_breaks_the_check(chosen: tuple[Object, str], value: Any) -> None:
    obj, field = chosen
    found = problems({**obj, "spec": {**obj["spec"], field: value}})
    assert all(problem.message for problem in found)


def test_a_missing_required_field_is_reported() -> None:
    assert sentences(without(prompt(), "name")) == ["spec.name: Required value"]

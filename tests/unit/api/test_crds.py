"""The generated CRDs: current, complete, bounded, described."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.api.crd import DEFINITIONS, Definition, crds, object_schema, render
from mcp_operator.core.meta import Object
from support.manifests import featured_manifests

ROOT = Path(__file__).parents[3]
SCHEMAS = {one.resource.kind: object_schema(one) for one in DEFINITIONS}

by_kind = pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.resource.kind)


def fields(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    """Yield every field below a schema; `[]` and `{}` stand for items and values."""
    children = {f".{name}": child for name, child in schema.get("properties", {}).items()}
    if "items" in schema:
        children["[]"] = schema["items"]
    if "additionalProperties" in schema:
        children["{}"] = schema["additionalProperties"]
    for step, child in children.items():
        yield path + step, child
        yield from fields(child, path + step)


def generator() -> Any:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_files_are_current() -> None:
    for path, text in generator().generated().items():
        assert (ROOT / path).read_text() == text, f"{path}: run `nox -s generate`"


def test_the_crds_folder_has_only_generated_files() -> None:
    assert {path.name for path in (ROOT / "crds").iterdir()} == set(render())


def test_no_printer_column_sets_the_default_priority() -> None:
    columns = [
        column
        for crd in crds()
        for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]
    ]
    assert [column["name"] for column in columns if column.get("priority") == 0] == []


@by_kind
def test_no_field_of_a_list_item_has_a_default(definition: Definition) -> None:
    schema = SCHEMAS[definition.resource.kind]
    filled_in = [path for path, field in fields(schema) if "default" in field and "[]" in path]
    assert filled_in == []


@by_kind
def test_a_new_object_has_the_observed_generation_minus_one(definition: Definition) -> None:
    status = SCHEMAS[definition.resource.kind]["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["minimum"] == -1


def test_generating_twice_gives_the_same_bytes() -> None:
    assert render() == render()


@by_kind
def test_every_field_is_described(definition: Definition) -> None:
    schema = SCHEMAS[definition.resource.kind]
    bare = [
        path
        for path, field in fields(schema)
        if not field.get("description") and not path.endswith(("[]", "{}", ".metadata"))
    ]
    assert schema["description"]
    assert not bare


@by_kind
def test_descriptions_are_sentences(definition: Definition) -> None:
    for path, field in fields(SCHEMAS[definition.resource.kind]):
        description = field.get("description", "")
        assert not description or description.endswith("."), path
        assert "  " not in description, path


@by_kind
def test_every_field_of_a_spec_is_bounded(definition: Definition) -> None:
    unbounded = []
    for path, field in fields(SCHEMAS[definition.resource.kind]["properties"]["spec"]):
        kind, keeps = field.get("type"), "x-kubernetes-preserve-unknown-fields" in field
        bounded = {
            "string": "enum" in field or "maxLength" in field,
            "array": "maxItems" in field,
            "integer": "minimum" in field and "maximum" in field,
            "object": keeps or "properties" in field or "maxProperties" in field,
        }
        if kind and not bounded.get(kind, True):
            unbounded.append(path)
    assert not unbounded


@by_kind
def test_validation_rules_have_messages_and_existing_field_paths(definition: Definition) -> None:
    schema = SCHEMAS[definition.resource.kind]
    for path, field in [("", schema), *fields(schema)]:
        for rule in field.get("x-kubernetes-validations", ()):
            assert len(rule["message"].split()) >= 4, path
            assert "^" not in rule["message"], path
            if "fieldPath" in rule:
                assert rule["fieldPath"].removeprefix(".") in field["properties"], path


@by_kind
def test_printer_columns_show_fields_that_exist(definition: Definition) -> None:
    known = {path for path, _ in fields(SCHEMAS[definition.resource.kind])}
    for name, _, path, *_ in definition.columns:
        field = path.partition("[")[0]
        assert field in known or field.startswith(".metadata."), name


@by_kind
def test_items_of_map_lists_in_a_status_are_atomic(definition: Definition) -> None:
    status = SCHEMAS[definition.resource.kind]["properties"]["status"]
    merged = {
        path: field["items"].get("x-kubernetes-map-type")
        for path, field in fields(status)
        if field.get("x-kubernetes-list-type") == "map"
    }
    assert ".conditions" in merged
    assert set(merged.values()) == {"atomic"}, "each field of an item has its own owner"


def test_featured_manifests_use_every_field_of_every_kind() -> None:
    written: dict[str, set[str]] = {kind: set() for kind in SCHEMAS}
    for _, obj in featured_manifests():
        found = used(SCHEMAS[obj["kind"]]["properties"]["spec"], obj["spec"])
        written[obj["kind"]] |= {one_of_its_kind(path) for path in found}
    for kind, schema in SCHEMAS.items():
        declared = {one_of_its_kind(path) for path, _ in fields(schema["properties"]["spec"])}
        assert declared <= written[kind]


def one_of_its_kind(path: str) -> str:
    """Return one path for containers, probes and hooks, which are the same type in many places."""
    for pattern, one in (
        (r"^\.podTemplate\.(containers|initContainers)\[\]", ".podTemplate.container"),
        (r"\.(liveness|readiness|startup)Probe", ".probe"),
        (r"\.lifecycle\.(preStop|postStart)", ".hook"),
        (r"\.probe(\.httpGet|\.exec)", r".hook\1"),
        (r"^.*\.env(\[\]|$)", r".env\1"),
        (r"^\.podTemplate.*\.(label|namespace)Selector(\.|$)", r".labelSelector\2"),
        (r"\.(configMap|secret)\.items", ".items"),
        (r"^.*\.resources(\.|$)", r".resources\1"),
        (r"\.(required|preferred)DuringScheduling\w+", ".during"),
        (r"\.pod(Anti)?Affinity(\.|$)", r".podAffinity\2"),
        (r"\.during\[\]\.(podAffinityTerm|preference)", ".during[]"),
        (r"\.during\.nodeSelectorTerms\[\]", ".during[]"),
    ):
        path = re.sub(pattern, one, path)
    return path


def used(schema: Object, value: Any, path: str = "") -> Iterator[str]:
    """Yield the fields that a value sets, in the notation of `fields`."""
    if isinstance(value, dict):
        for name, child in value.items():
            known = name in schema.get("properties", {})
            step = f".{name}" if known else "{}"
            below = schema["properties"][name] if known else schema.get("additionalProperties", {})
            yield path + step
            yield from used(below, child, path + step)
    elif isinstance(value, list):
        for child in value:
            yield f"{path}[]"
            yield from used(schema.get("items", {}), child, f"{path}[]")


def test_each_kind_has_its_short_names_and_subresources() -> None:
    by_name = {crd["metadata"]["name"]: crd["spec"] for crd in crds()}
    assert {name: spec["names"]["shortNames"] for name, spec in by_name.items()} == {
        "mcpprompts.mcp-operator.dev": ["mcpp"],
        "mcpresources.mcp-operator.dev": ["mcpr"],
        "mcpservers.mcp-operator.dev": ["mcps"],
        "mcptools.mcp-operator.dev": ["mcpt"],
    }
    for name, spec in by_name.items():
        assert spec["names"]["categories"] == ["mcp"]
        (version,) = spec["versions"]
        assert version["name"] == "v1alpha1"
        assert ("scale" in version["subresources"]) == (name == "mcpservers.mcp-operator.dev")
        assert version["subresources"]["status"] == {}

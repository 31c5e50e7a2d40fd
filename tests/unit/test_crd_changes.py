"""Changes of a CRD that can break users, and those that cannot."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from crd_changes import Change, changes, disagreements

from mcp_operator.api.crd import crds

Schema = dict[str, Any]

FIELDS: Schema = {
    "name": {"type": "string", "minLength": 1, "maxLength": 20, "pattern": "^a"},
    "mode": {"type": "string", "enum": ["A", "B"], "default": "A"},
    "replicas": {"type": "integer", "minimum": 0, "maximum": 10},
    "ratio": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
    "tools": {
        "type": "array",
        "maxItems": 5,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "method": {"type": "string", "description": 'How. Defaults to "POST".'},
            },
        },
    },
    "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63}},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}

OLD: Schema = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things", "shortNames": ["th"], "categories": ["all"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas"}},
                "selectableFields": [{"jsonPath": ".spec.mode"}],
                "additionalPrinterColumns": [{"name": "Age"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": FIELDS,
                                "x-kubernetes-validations": [{"rule": "true", "message": "Fine."}],
                            }
                        },
                    }
                },
            }
        ],
    },
}


def version(crd: Schema) -> Schema:
    found: Schema = crd["spec"]["versions"][0]
    return found


def spec(crd: Schema) -> Schema:
    found: Schema = version(crd)["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def fields(crd: Schema) -> Schema:
    found: Schema = spec(crd)["properties"]
    return found


def item(crd: Schema) -> Schema:
    found: Schema = fields(crd)["tools"]["items"]
    return found


def changed(edit: Callable[[Schema], object]) -> list[str]:
    new = copy.deepcopy(OLD)
    edit(new)
    return [str(change).removeprefix("Thing ") for change in changes(OLD, new)]


BREAKING: dict[str, tuple[Callable[[Schema], object], str]] = {
    "field": (lambda c: fields(c).pop("name"), "v1.spec.name: field removed"),
    "field of an item": (
        lambda c: item(c)["properties"].pop("method"),
        "v1.spec.tools[].method: field removed",
    ),
    "type": (
        lambda c: fields(c).update(name={**FIELDS["name"], "type": "integer"}),
        "v1.spec.name: type changed from string to integer",
    ),
    "enum value": (
        lambda c: fields(c)["mode"].update(enum=["A", "C"]),
        'v1.spec.mode: enum value "B" removed',
    ),
    "enum": (
        lambda c: fields(c)["name"].update(enum=["a"]),
        'v1.spec.name: enum ["a"] added',
    ),
    "required": (lambda c: spec(c).update(required=["name"]), "v1.spec.name: is required"),
    "new required field": (
        lambda c: (
            item(c)["properties"].update(new={"type": "string"}),
            item(c)["required"].append("new"),
        ),
        "v1.spec.tools[].new: is required",
    ),
    "upper bound": (
        lambda c: fields(c)["replicas"].update(maximum=9),
        "v1.spec.replicas: maximum lowered from 10 to 9",
    ),
    "lower bound": (
        lambda c: fields(c)["name"].update(minLength=2),
        "v1.spec.name: minLength raised from 1 to 2",
    ),
    "new bound": (
        lambda c: fields(c)["labels"].update(maxProperties=3),
        "v1.spec.labels: maxProperties 3 added",
    ),
    "exclusive bound": (
        lambda c: fields(c)["replicas"].update(exclusiveMaximum=True),
        "v1.spec.replicas: exclusiveMaximum added",
    ),
    "items": (
        lambda c: fields(c)["tools"].update(maxItems=4),
        "v1.spec.tools: maxItems lowered from 5 to 4",
    ),
    "value of a map": (
        lambda c: fields(c)["labels"]["additionalProperties"].update(maxLength=62),
        "v1.spec.labels{}: maxLength lowered from 63 to 62",
    ),
    "map closed": (
        lambda c: fields(c)["labels"].pop("additionalProperties"),
        "v1.spec.labels: additionalProperties changed",
    ),
    "pattern": (
        lambda c: fields(c)["name"].update(pattern="^[ab]"),
        "v1.spec.name: pattern changed from ^a to ^[ab]",
    ),
    "new pattern": (
        lambda c: item(c)["properties"]["name"].update(pattern="^a"),
        "v1.spec.tools[].name: pattern changed from none to ^a",
    ),
    "rule": (
        lambda c: spec(c)["x-kubernetes-validations"].append({"rule": "false"}),
        "v1.spec: rule added: false",
    ),
    "rule of a field": (
        lambda c: fields(c)["name"].update({"x-kubernetes-validations": [{"rule": "self != ''"}]}),
        "v1.spec.name: rule added: self != ''",
    ),
    "default": (
        lambda c: fields(c)["mode"].update(default="B"),
        'v1.spec.mode: default changed from "A" to "B"',
    ),
    "default removed": (
        lambda c: fields(c)["mode"].pop("default"),
        'v1.spec.mode: default changed from "A" to none',
    ),
    "default of an item, which is only in its description": (
        lambda c: item(c)["properties"]["method"].update(description='How. Defaults to "GET".'),
        'v1.spec.tools[].method: default changed from "POST" to "GET"',
    ),
    "merge key": (
        lambda c: fields(c)["tools"].update({"x-kubernetes-list-type": "atomic"}),
        "v1.spec.tools: x-kubernetes-list-type changed from map to atomic",
    ),
    "unknown fields dropped": (
        lambda c: fields(c)["free"].pop("x-kubernetes-preserve-unknown-fields"),
        "v1.spec.free: x-kubernetes-preserve-unknown-fields changed from true to none",
    ),
    "version": (lambda c: version(c).update(name="v2"), "v1: version removed"),
    "version not served": (
        lambda c: version(c).update(served=False),
        "v1: version no longer served",
    ),
    "subresource": (
        lambda c: version(c)["subresources"].pop("status"),
        "v1.status: subresource removed",
    ),
    "scale": (
        lambda c: version(c)["subresources"].update(scale={"specReplicasPath": ".spec.other"}),
        "v1.scale: subresource changed",
    ),
    "selectable field": (
        lambda c: version(c).pop("selectableFields"),
        "v1.spec.mode: no longer selectable",
    ),
    "scope": (
        lambda c: c["spec"].update(scope="Cluster"),
        "scope: changed from Namespaced to Cluster",
    ),
    "plural": (
        lambda c: c["spec"]["names"].update(plural="thinges"),
        "names.plural: changed from things to thinges",
    ),
    "short name": (
        lambda c: c["spec"]["names"].update(shortNames=["t"]),
        "names.shortNames: th removed",
    ),
}

COMPATIBLE: dict[str, Callable[[Schema], object]] = {
    "nothing": lambda _: None,
    "field": lambda c: fields(c).update(new={"type": "string", "maxLength": 3, "default": "x"}),
    "required field with a default": lambda c: (
        fields(c).update(new={"type": "string", "default": "x"}),
        spec(c).update(required=["new"]),
    ),
    "object with required fields": lambda c: fields(c).update(
        new={"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}
    ),
    "enum value": lambda c: fields(c)["mode"]["enum"].append("C"),
    "any value": lambda c: fields(c)["mode"].pop("enum"),
    "wider bounds": lambda c: (
        fields(c)["name"].update(minLength=0, maxLength=21),
        fields(c)["replicas"].pop("maximum"),
        fields(c)["ratio"].pop("exclusiveMinimum"),
    ),
    "optional": lambda c: item(c).pop("required"),
    "no pattern": lambda c: fields(c)["name"].pop("pattern"),
    "no rule": lambda c: spec(c).pop("x-kubernetes-validations"),
    "another message": lambda c: spec(c)["x-kubernetes-validations"][0].update(message="Good."),
    "texts": lambda c: fields(c)["mode"].update(description="Other."),
    "columns": lambda c: version(c).update(additionalPrinterColumns=[]),
    "null": lambda c: fields(c)["name"].update(nullable=True),
    "short name": lambda c: c["spec"]["names"]["shortNames"].append("t"),
    "version": lambda c: c["spec"]["versions"].append(
        {**version(c), "name": "v2", "storage": False}
    ),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_detected_and_named(name: str) -> None:
    edit, expected = BREAKING[name]
    assert changed(edit) == [expected]


@pytest.mark.parametrize("name", COMPATIBLE)
def test_a_compatible_change_is_not_reported(name: str) -> None:
    assert changed(COMPATIBLE[name]) == []


def test_a_removed_kind_is_a_breaking_change() -> None:
    assert changes(OLD, None) == [Change("Thing", "CRD", "removed")]


def test_the_crds_have_no_breaking_change_against_themselves() -> None:
    assert [change for crd in crds() for change in changes(crd, crd)] == []
    assert [change for crd in crds() for change in disagreements(crd)] == []


def with_another_version(edit: Callable[[Schema], object]) -> Schema:
    crd = copy.deepcopy(OLD)
    crd["spec"]["versions"].append(copy.deepcopy({**version(crd), "name": "v2"}))
    edit(crd["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return crd


def test_versions_without_conversion_must_have_the_same_schema() -> None:
    same = with_another_version(lambda spec: spec.update(description="Newer."))
    other = with_another_version(lambda spec: spec["properties"].pop("free"))
    assert disagreements(same) == []
    assert disagreements(other) == [Change("Thing", "v2", "has another schema than v1")]
    other["spec"]["conversion"] = {"strategy": "Webhook"}
    assert disagreements(other) == []

"""Objects that an API server accepts and that are cut before they are decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mcp_operator.core.meta import UNREADABLE, Object
from mcp_operator.runtime import oversized
from mcp_operator.runtime.oversized import MAX_VALUES, OversizedError

STATUS = {"observedGeneration": 1}
MANY = [0] * (MAX_VALUES + 1)


def stored(spec: Any, *, status: Any = None, fields: Any = None) -> Object:
    """Return a custom resource as an API server sends it, sorted by name."""
    metadata = {"labels": {"spec": "x"}, "managedFields": [{"fieldsV1": fields, "manager": "user"}]}
    metadata |= {"name": "crowded", "namespace": "demo", "ownerReferences": [{"name": "owner"}]}
    obj = {"apiVersion": "mcp-operator.dev/v1alpha1", "kind": "MCPTool", "metadata": metadata}
    return obj | {"spec": spec} | ({} if status is None else {"status": status})


def text(obj: Object) -> bytes:
    return json.dumps(obj, separators=(",", ":")).encode()


def event(obj: Object) -> bytes:
    return text({"type": "MODIFIED", "object": obj}) + b"\n"


def assert_only_named(obj: Object, status: Any = None) -> None:
    assert obj.pop("status", None) == status
    assert obj["metadata"]["name"] == "crowded"
    assert obj["metadata"]["namespace"] == "demo"
    assert "managedFields" not in obj["metadata"]
    assert obj.keys() == {"apiVersion", "kind", "metadata", UNREADABLE}
    assert "100,000 values" in obj[UNREADABLE]


@pytest.mark.parametrize("status", [None, STATUS])
def test_the_spec_of_an_object_with_too_many_values_is_dropped_and_the_status_kept(
    status: Object | None,
) -> None:
    obj = stored({"inputSchema": MANY}, status=status, fields={"f:spec": {"f:name": {}}})
    with pytest.raises(OversizedError):
        oversized.decode_object(text(obj))
    assert_only_named(oversized.decode_object(text(obj), cut=True), status)
    assert_only_named(oversized.decode_object(event(obj), cut=True)["object"], status)


def test_a_status_within_the_spec_is_not_the_status_of_the_object() -> None:
    inner = {"a": MANY, "b": {"c": 1, "status": {"x": 1}}}
    assert_only_named(oversized.decode_object(event(stored(inner)), cut=True)["object"])


def test_a_status_with_too_many_values_is_dropped() -> None:
    obj = stored({"a": 1}, status={"conditions": MANY})
    assert_only_named(oversized.decode_object(text(obj), cut=True))


def test_separators_within_strings_are_not_counted_as_values() -> None:
    obj = stored({"text": 'a,b\n"[{' * MAX_VALUES}, fields={})
    with pytest.raises(OversizedError):
        oversized.decode_object(text(obj))
    found = oversized.decode_object(text(obj), cut=True)
    del obj["metadata"]["managedFields"]
    assert found == obj


def test_empty_objects_and_managed_fields_do_not_count_toward_the_limit() -> None:
    empty: Object = {"inputSchema": [{}] * (MAX_VALUES * 2 // 3)}
    managed: Object = {f"f:{number}": {} for number in range(MAX_VALUES * 2 // 3)}
    for obj in (stored(empty), stored({"a": 1}, fields=managed)):
        found = oversized.decode_object(event(obj), cut=True)["object"]
        assert found["spec"] == obj["spec"]
        assert not oversized.why_unreadable(found["spec"])


def test_annotations_with_names_of_fields_do_not_hide_the_metadata() -> None:
    obj = stored({"a": MANY, "b": {"c": 1, "status": {"x": 1}}})
    obj["metadata"] = {"annotations": {"a": "b", "spec": "x"}} | obj["metadata"]
    del obj["metadata"]["managedFields"]
    found = oversized.decode_object(event(obj), cut=True)["object"]
    assert found["metadata"]["name"] == "crowded"


def test_an_object_with_its_spec_first_is_cut_where_it_is_too_deep() -> None:
    deep = b'{"spec":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b',"metadata":{"name":"x"}}'
    found = oversized.decode_object(deep, cut=True)
    assert found["metadata"] == {"name": "x"}
    assert "levels deep" in oversized.why_unreadable(found)


@pytest.mark.parametrize(
    ("value", "crowded"),
    [
        (MANY[:-1], False),
        (MANY, True),
        ({str(number): number for number in range(MAX_VALUES + 1)}, True),
        ([[0]] * (MAX_VALUES // 2 + 1), True),
        ([[]] * MAX_VALUES, False),
    ],
)
def test_every_member_of_a_list_or_object_is_counted_as_a_value(
    value: Any, *, crowded: bool
) -> None:
    assert bool(oversized.why_unreadable(value)) == crowded
    assert oversized.count(text(value)) > MAX_VALUES or not crowded

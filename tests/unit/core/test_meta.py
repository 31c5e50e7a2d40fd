from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mcp_operator.core.clock import SystemClock, rfc3339, rfc3339_micro
from mcp_operator.core.meta import (
    Key,
    LabelSelector,
    Object,
    Resource,
    annotations_of,
    controller_of,
    generation_of,
    is_controlled_by,
    is_deleting,
    key_of,
    labels_of,
    owner_reference,
    resource_version_of,
    uid_of,
)

WIDGETS = Resource("example.dev", "v1", "widgets", "Widget")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
OWNER: Object = {
    "apiVersion": "example.dev/v1",
    "kind": "Widget",
    "metadata": {"namespace": "demo", "name": "a", "uid": "u1"},
}


def test_a_resource_returns_its_paths() -> None:
    assert WIDGETS.path() == "/apis/example.dev/v1/widgets"
    assert WIDGETS.path("demo", "a", "status") == (
        "/apis/example.dev/v1/namespaces/demo/widgets/a/status"
    )
    assert NODES.path("ignored", "n1") == "/api/v1/nodes/n1"
    assert (WIDGETS.api_version, NODES.api_version) == ("example.dev/v1", "v1")
    assert (str(WIDGETS), str(NODES)) == ("widgets.example.dev", "nodes")


def test_a_key_is_written_as_in_kubectl() -> None:
    assert str(key_of(OWNER)) == "demo/a"
    assert str(key_of({"metadata": {"name": "n1"}})) == "n1"
    assert Key("demo", "a") == ("demo", "a")


def test_missing_metadata_fields_are_read_as_empty() -> None:
    bare: Object = {"metadata": {"name": "a", "labels": None}}

    assert (uid_of(bare), generation_of(bare), resource_version_of(bare)) == ("", 0, 0)
    assert (labels_of(bare), annotations_of(bare), controller_of(bare)) == ({}, {}, None)
    assert not is_deleting(bare)
    assert is_deleting({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})


@pytest.mark.parametrize(("raw", "number"), [("42", 42), ("opaque", 0), ("", 0)])
def test_a_resource_version_that_is_not_a_number_is_read_as_zero(raw: str, number: int) -> None:
    assert resource_version_of({"metadata": {"resourceVersion": raw}}) == number


def test_a_child_is_controlled_only_by_the_owner_with_the_uid_of_its_controller_reference() -> None:
    other = {**owner_reference(OWNER), "uid": "u2", "controller": False}
    child = {"metadata": {"name": "c", "ownerReferences": [other, owner_reference(OWNER)]}}

    assert is_controlled_by(child, OWNER)
    recreated = {**OWNER, "metadata": {**OWNER["metadata"], "uid": "u3"}}
    assert not is_controlled_by(child, recreated)
    assert not is_controlled_by({"metadata": {"name": "c", "ownerReferences": [other]}}, OWNER)


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": "tier", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "matching"),
    [
        (None, {"none", "web", "db"}),
        ({"matchLabels": {"tier": "web"}}, {"web"}),
        (expression("In", "web", "db"), {"web", "db"}),
        (expression("NotIn", "web"), {"none", "db"}),
        (expression("Exists"), {"web", "db"}),
        (expression("DoesNotExist"), {"none"}),
        ({"matchLabels": {"tier": "web"}, **expression("NotIn", "web")}, set()),
    ],
)
def test_selectors_match_as_in_kubernetes(
    selector: dict[str, Any] | None, matching: set[str]
) -> None:
    objects = {"none": {}, "web": {"tier": "web"}, "db": {"tier": "db"}}

    compiled = LabelSelector.parse(selector)

    assert {name for name, labels in objects.items() if compiled.matches(labels)} == matching


def test_an_error_about_an_unknown_operator_lists_the_operators() -> None:
    with pytest.raises(ValueError, match="'Near' is not one of In, NotIn, Exists, DoesNotExist"):
        LabelSelector.parse(expression("Near"))


def test_timestamps_are_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 67, tzinfo=timezone(timedelta(hours=2)))

    assert rfc3339(moment) == "2026-01-02T01:04:05Z"
    assert rfc3339_micro(moment) == "2026-01-02T01:04:05.000067Z"
    assert SystemClock().now().tzinfo == UTC

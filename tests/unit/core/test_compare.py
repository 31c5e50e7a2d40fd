from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.core.compare import covers, fingerprint, quantity, semantically_equal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(value=JSON)
def test_every_value_covers_itself(value: Any) -> None:
    assert covers(value, value)


@given(value=st.dictionaries(st.text(max_size=3), JSON), extra=JSON)
def test_a_value_with_additional_fields_covers_the_desired_one(
    value: dict[str, Any], extra: Any
) -> None:
    assert covers({**value, "not there yet": extra}, value)


def test_only_empty_fields_can_be_omitted_from_equal_values() -> None:
    assert semantically_equal({"a": 1, "b": []}, {"a": 1})
    assert semantically_equal({"a": 1}, {"a": 1, "b": []})
    assert not semantically_equal({"a": 1, "b": [0]}, {"a": 1})
    assert not semantically_equal({"a": 1}, {"a": 1, "b": [0]})


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        ({"replicas": 3}, {"replicas": 2}),
        ({}, {"automountServiceAccountToken": False}),
        ({}, {"replicas": 0}),
        ({"readOnly": True}, {"readOnly": False}),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {}}),
        ({"terms": [{}]}, {"terms": [{"labelSelector": {}}]}),
        ({"port": "80"}, {"port": 80}),
        ({"args": ["a", "b"]}, {"args": ["a"]}),
        ({"args": ["b", "a"]}, {"args": ["a", "b"]}),
        ({"spec": "text"}, {"spec": {"a": 1}}),
        ({"items": "text"}, {"items": [1]}),
        ({"containers": [{"name": "b"}]}, {"containers": [{"name": "a"}]}),
        ({"limits": {"cpu": "2"}}, {"limits": {"cpu": "1"}}),
        ({"data": {"limits": "few"}}, {"data": {"limits": "many"}}),
        ({"data": {"x": "1000m"}}, {"data": {"x": "1"}}),
        ({"selector": {"a": "1", "b": "2"}}, {"selector": {"a": "1"}}),
        ({"podSelector": {"matchLabels": {"a": "1", "b": "2"}}}, {"podSelector": {}}),
        ({"to": [{}]}, {"to": [{"podSelector": {}}]}),
        ({"subjects": [{"name": "ours"}, {"name": "theirs"}]}, {"subjects": [{"name": "ours"}]}),
        ({"rules": [{"verbs": ["get"], "x": 1}]}, {"rules": [{"verbs": ["get"]}]}),
        ({"rules": [{"ports": [{"port": 1}, {"port": 2}]}]}, {"rules": [{"ports": [{"port": 1}]}]}),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"path": "x", "more": "y"}}}]},
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"path": "x"}}}]},
        ),
        ({"ports": [{"port": 80, "protocol": "UDP"}]}, {"ports": [{"port": 80}, {"port": 53}]}),
        ({"volumes": ["a", "b"]}, {"volumes": ["a"]}),
        ({"volumes": []}, {"volumes": [{"name": "v"}]}),
        ({"subjects": [{"name": "theirs"}]}, {"subjects": []}),
    ],
)
def test_a_value_that_differs_does_not_cover_the_desired_one(live: Any, desired: Any) -> None:
    assert not covers(live, desired)


@pytest.mark.parametrize(
    ("live", "desired"),
    [
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, {"limits": {"cpu": "1000m"}}),
        ({"requests": {"memory": "1Gi"}}, {"requests": {"memory": "1024Mi"}}),
        ({"requests": {"cpu": "1"}}, {"requests": {"cpu": 1}}),
        ({"emptyDir": {"sizeLimit": "1M"}}, {"emptyDir": {"sizeLimit": "1000k"}}),
        ({}, {"data": {}, "list": [], "text": "", "none": None}),
        (
            {"env": [{"name": "INJECTED"}, {"name": "A", "value": "1"}]},
            {"env": [{"name": "A", "value": "1"}]},
        ),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/b"}, {"name": "v", "mountPath": "/a"}]},
            {"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
        ),
        (
            {"ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
            {"ports": [{"name": "http", "port": 80}]},
        ),
        (
            {
                "topologySpreadConstraints": [
                    {"topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"},
                    {"topologyKey": "node", "whenUnsatisfiable": "DoNotSchedule"},
                    {"topologyKey": "node", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1},
                ]
            },
            {
                "topologySpreadConstraints": [
                    {"topologyKey": "node", "whenUnsatisfiable": "ScheduleAnyway", "maxSkew": 1}
                ]
            },
        ),
        ({"rules": [{"verbs": ["get"], "group": ""}]}, {"rules": [{"verbs": ["get"]}]}),
        (
            {"volumeMounts": [{"name": "v", "mountPath": "/a"}]},
            {"volumeMounts": [{"name": "v", "mountPath": "/a", "readOnly": False}]},
        ),
        ({"livenessProbe": {}}, {"livenessProbe": {"initialDelaySeconds": 0}}),
        ({}, {"nodeSelector": {}}),
        ({"terms": [{"labelSelector": {}}]}, {"terms": [{"labelSelector": {"matchLabels": {}}}]}),
    ],
)
def test_defaults_and_the_notation_of_the_api_server_are_not_differences(
    live: Any, desired: Any
) -> None:
    assert covers(live, desired)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("100m", "0.1"),
        ("2k", "2000"),
        ("1Ki", "1024"),
        ("1Ei", str(1024**6)),
        ("1E", str(10**18)),
        ("1e3", "1000"),
        ("1E-3", "0.001"),
        ("5n", "0.000000005"),
    ],
)
def test_quantities_are_parsed_in_all_notations(text: str, value: str) -> None:
    assert quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "1 Gi", "1Kim"])
def test_a_string_that_is_not_a_quantity_has_no_value(text: str) -> None:
    assert quantity(text) is None


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    one = {"a": 1, "b": [{"c": 2, "d": 3}]}
    two = {"b": [{"d": 3, "c": 2}], "a": 1}
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint({**one, "a": 2})

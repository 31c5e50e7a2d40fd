from __future__ import annotations

import pytest

from mcp_operator.runtime.selection import Selection
from support.objects import config_map


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=db", False),
        ("app!=db", True),
        ("app!=web", False),
        ("app", True),
        ("!app", False),
        ("!other", True),
        ("app in (web, db),tier=front", True),
        ("app notin (web)", False),
        ("tier=back,app=web", False),
    ],
)
def test_labels_are_selected_in_kubectls_notation(selector: str, *, matches: bool) -> None:
    obj = config_map(labels={"app": "web", "tier": "front"})
    assert Selection(label_selector=selector).matches(obj) is matches


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("metadata.name=a", True),
        ("metadata.name=b", False),
        ("metadata.name=a,data.colour==red", True),
        ("data.colour.shade=red", False),
        ("data.none=", True),
    ],
)
def test_fields_are_selected_by_path(selector: str, *, matches: bool) -> None:
    obj = config_map("a", colour="red")
    assert Selection(field_selector=selector).matches(obj) is matches


def test_another_namespace_is_left_out() -> None:
    assert Selection("demo").matches(config_map())
    assert not Selection("other").matches(config_map())


@pytest.mark.parametrize("selector", ["metadata.name!=a", "metadata.name"])
def test_a_field_selector_that_could_not_be_decided_here_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="only path=value"):
        Selection(field_selector=selector)

from __future__ import annotations

import pytest

from mcp_operator.runtime.selection import Selection
from support.objects import config_map


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app=db", False),
        ("other=", False),
        ("tier=front, app=web", True),
        ("tier=back,app=web", False),
    ],
)
def test_every_label_that_is_asked_for_must_be_there(selector: str, *, matches: bool) -> None:
    obj = config_map(labels={"app": "web", "tier": "front"})
    assert Selection(label_selector=selector).matches(obj) is matches


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("metadata.name=a", True),
        ("metadata.name=b", False),
        ("metadata.name=a,data.colour=red", True),
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


@pytest.mark.parametrize("selector", ["a!=b", "a==b", "a", "!a=b", "a in (b)"])
def test_a_selector_that_could_not_be_decided_here_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="only name=value"):
        Selection(label_selector=selector)
    with pytest.raises(ValueError, match="only name=value"):
        Selection(field_selector=selector)

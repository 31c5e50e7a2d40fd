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
def test_an_object_must_have_every_label_of_the_selector(selector: str, *, matches: bool) -> None:
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
def test_a_field_selector_matches_fields_by_path(selector: str, *, matches: bool) -> None:
    obj = config_map("a", colour="red")
    assert Selection(field_selector=selector).matches(obj) is matches


def test_an_object_of_another_namespace_does_not_match() -> None:
    assert Selection("demo").matches(config_map())
    assert not Selection("other").matches(config_map())


@pytest.mark.parametrize("selector", ["a!=b", "a==b", "a", "!a=b", "a in (b)"])
def test_a_selector_that_is_not_name_equals_value_raises_an_error(selector: str) -> None:
    with pytest.raises(ValueError, match="only name=value"):
        Selection(label_selector=selector)
    with pytest.raises(ValueError, match="only name=value"):
        Selection(field_selector=selector)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_operator.app.mcp_client.arguments import pairs, typed, whole
from mcp_operator.core.errors import SettingsError

SCHEMA = {
    "type": "object",
    "$defs": {"size": {"type": "integer"}},
    "properties": {
        "city": {"type": "string"},
        "count": {"type": "integer"},
        "size": {"$ref": "#/$defs/size"},
        "color": {"enum": ["red", "1"]},
        "tags": {"type": "array"},
        "limit": {"type": ["integer", "string"]},
        "free": {},
    },
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("city", "Paris", "Paris"),
        ("city", "7", "7"),
        ("count", "7", 7),
        ("size", "7", 7),
        ("color", "1", "1"),
        ("tags", '["a"]', ["a"]),
        ("limit", "7", 7),
        ("limit", "all", "all"),
        ("free", "true", True),
        ("free", "Paris", "Paris"),
        ("unknown", "a=b", "a=b"),
    ],
)
def test_an_argument_is_parsed_as_the_type_in_the_schema(name: str, text: str, value: Any) -> None:
    assert typed(pairs([f"{name}={text}"]), SCHEMA) == {name: value}


def test_an_error_about_a_value_of_the_wrong_type_names_the_argument() -> None:
    with pytest.raises(SettingsError, match=r"--arg count: 'many' is not JSON.* type integer"):
        typed({"count": "many"}, SCHEMA)


def test_an_argument_without_a_value_is_rejected() -> None:
    with pytest.raises(SettingsError, match=r"--arg: 'city' is not NAME=VALUE"):
        pairs(["city"])


def test_arguments_can_be_given_as_json_or_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "args.json"
    file.write_text('{"city": "Paris"}')

    assert whole('{"city": "Paris"}') == whole(f"@{file}") == {"city": "Paris"}
    assert whole("") == {}


@pytest.mark.parametrize("text", ["{", "[]", "@/nowhere/args.json"])
def test_arguments_that_are_not_a_json_object_are_rejected(text: str) -> None:
    with pytest.raises(SettingsError, match="--args"):
        whole(text)


def test_an_argument_with_an_unresolvable_reference_accepts_any_value() -> None:
    schema = {"properties": {"a": {"$ref": "#/none/there"}, "b": {"$ref": "other.json"}}}
    assert typed({"a": "1", "b": "x"}, schema) == {"a": 1, "b": "x"}

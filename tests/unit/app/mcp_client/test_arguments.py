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
def test_an_argument_is_read_as_the_schema_has_it(name: str, text: str, value: Any) -> None:
    assert typed(pairs([f"{name}={text}"]), SCHEMA) == {name: value}


def test_what_is_neither_json_nor_a_string_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"--arg count: 'many' is not JSON.* type integer"):
        typed({"count": "many"}, SCHEMA)


def test_an_argument_without_a_value_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--arg: 'city' is not NAME=VALUE"):
        pairs(["city"])


def test_all_arguments_come_as_json_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "args.json"
    file.write_text('{"city": "Paris"}')

    assert whole('{"city": "Paris"}') == whole(f"@{file}") == {"city": "Paris"}
    assert whole("") == {}


@pytest.mark.parametrize("text", ["{", "[]", "@/nowhere/args.json"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--args"):
        whole(text)


def test_a_reference_that_leads_nowhere_allows_anything() -> None:
    schema = {"properties": {"a": {"$ref": "#/none/there"}, "b": {"$ref": "other.json"}}}
    assert typed({"a": "1", "b": "x"}, schema) == {"a": 1, "b": "x"}

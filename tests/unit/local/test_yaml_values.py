from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.local.yaml_values import JsonLoader, YamlError, yaml_values


def value_of(text: str) -> Any:
    ((value, _),) = yaml_values(f"value: {text}\n", JsonLoader)
    return value["value"]


@pytest.mark.parametrize("word", ["NO", "no", "on", "y", "Yes", "12:30", "0123", "1_000", "0x1F"])
def test_the_json_loader_reads_words_such_as_no_as_strings(
    word: str,
) -> None:
    assert value_of(word) == word


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-12", -12),
        ("1e3", 1000.0),
        ("0.5", 0.5),
        ("2020-01-01", "2020-01-01"),
        (".inf", ".inf"),
        ("'1'", "1"),
    ],
)
def test_the_json_loader_reads_json_values(text: str, value: object) -> None:
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


def test_the_json_loader_resolves_merge_keys_and_aliases() -> None:
    text = "base: &base {a: 1}\nother: {<<: *base, b: 2}\nsame: *base\n"
    ((value, _),) = yaml_values(text, JsonLoader)

    assert value == {"base": {"a": 1}, "other": {"a": 1, "b": 2}, "same": {"a": 1}}


def test_a_numeric_key_becomes_a_string() -> None:
    ((value, located),) = yaml_values("responses:\n  200: {}\n", JsonLoader)

    assert value == {"responses": {"200": {}}}
    assert located.line_of(("responses", "200")) == 2


def test_an_error_about_invalid_yaml_has_its_line() -> None:
    with pytest.raises(YamlError, match="is not valid YAML") as caught:
        list(yaml_values("a: 1\nb: [\n", JsonLoader))
    assert caught.value.line >= 2

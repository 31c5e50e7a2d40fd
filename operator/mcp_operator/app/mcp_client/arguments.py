"""Reads what the command line gives: arguments of a call, as JSON, and files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_operator.api.properties import target
from mcp_operator.core.errors import SettingsError


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Parse `NAME=VALUE` texts.

    Raises:
        SettingsError: A text has no name or no `=`.
    """
    found = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise SettingsError(f"--arg: {text!r} is not NAME=VALUE, such as city=Paris")
        found[name] = value
    return found


def whole(text: str) -> dict[str, Any]:
    """Return the JSON object in `--args`, or in the file of `--args @FILE`.

    Raises:
        SettingsError: It is not a JSON object, or the file cannot be read.
    """
    if not text:
        return {}
    where = "--args"
    if text.startswith("@"):
        where = f"--args: {text[1:]}"
        text = read(Path(text[1:]), "--args")
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{where} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise SettingsError(f'{where} is not a JSON object, such as {{"city": "Paris"}}')
    return value


def read(path: Path, flag: str) -> str:
    """Return the text of a file that a flag names.

    Raises:
        SettingsError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"{flag}: {path} cannot be read: {reason}") from error


def typed(given: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the arguments of `--arg` to the types of a tool's schema.

    Args:
        given: The texts, by argument.
        schema: The `inputSchema` of the tool.

    Raises:
        SettingsError: A text is not JSON, and the schema does not allow a string.
    """
    return {name: _value(name, text, schema) for name, text in given.items()}


def _value(name: str, text: str, schema: Mapping[str, Any]) -> Any:
    properties = schema.get("properties")
    declared = properties.get(name) if isinstance(properties, dict) else None
    kinds = _kinds(declared, schema)
    if kinds == {"string"}:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        if not kinds or "string" in kinds:
            return text
        wanted = " or ".join(sorted(kinds))
        raise SettingsError(
            f"--arg {name}: {text!r} is not JSON, and not of type {wanted}"
        ) from error


def _kinds(declared: Any, schema: Mapping[str, Any]) -> set[str]:
    """Return the JSON types that a property allows; empty if the schema does not say."""
    reference = declared.get("$ref") if isinstance(declared, dict) else None
    if isinstance(reference, str):
        declared = target(schema, reference)
    if not isinstance(declared, dict):
        return set()
    kinds = declared.get("type")
    if isinstance(kinds, str):
        return {kinds}
    if isinstance(kinds, list):
        return {kind for kind in kinds if isinstance(kind, str)}
    choices = declared.get("enum")
    if isinstance(choices, list) and all(isinstance(each, str) for each in choices):
        return {"string"}
    return set()

"""Remarks about texts of which people see something else than models read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mcp_operator.api.hidden_text import hidden_characters
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import Finding, remark


def hidden_in(fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a remark for each place with hidden characters.

    Args:
        fields: What clients are told: texts and schemas, by the paths of their fields.
    """
    for field, value in fields.items():
        for pointer, told in hidden_characters(value):
            where = f"{field}: #{pointer}" if pointer else field
            yield remark(Reason.HIDDEN_CHARACTERS, f"{where}: hidden from people: {told}")

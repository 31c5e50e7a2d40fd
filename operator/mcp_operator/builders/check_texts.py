"""Finds texts that look different to people than to models, and checks base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from mcp_operator.api.hidden_text import hidden_characters
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import Finding, InvalidError, remark


def hidden_in(fields: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a remark for each place with hidden characters.

    Args:
        fields: The texts and schemas that clients get, by the paths of their fields.
    """
    for field, value in fields.items():
        for pointer, told in hidden_characters(value):
            where = f"{field}: #{pointer}" if pointer else field
            yield remark(
                Reason.HIDDEN_CHARACTERS, f"{where}: remove the invisible character {told}"
            )


def joined_base64(text: str, field: str) -> str:
    """Return base64 on one line; `base64` of coreutils breaks its output into many.

    Args:
        text: The text as the user wrote it.
        field: The path of its field.

    Raises:
        InvalidError: It is not base64.
    """
    joined = "".join(text.split())
    try:
        base64.b64decode(joined, validate=True)
    except ValueError as error:
        raise InvalidError(Reason.INVALID, f"{field} is not base64: encode the content") from error
    return joined

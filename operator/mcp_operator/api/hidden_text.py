"""Characters that people cannot see and models read: a reviewed text can hide instructions.

Bidirectional controls show a text in another order than it is read (CVE-2021-42574), tags and
variation selectors encode whole sentences invisibly (Unicode 17, sections 23.4 and 23.9).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from mcp_operator.api.nesting import pointer_part

MAX_FOUND: Final = 8
"""Reported places in one value: in a hidden text, every letter is hidden."""

_CONTROLS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufff9-\ufffb"
_BIDIRECTIONAL: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE: Final = (
    r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f"
    r"\u3164\ufeff\uffa0\U0001d173-\U0001d17a"
)
_TAGS: Final = r"\U000e0000-\U000e0fff"
"""Tags, the variation selectors above 16, and the unassigned characters between them."""

_JOINER_IN_LATIN: Final = r"[\u200c\u200d](?=[\x00-\x7f]|\Z)|(?:(?<=[\x00-\x7f])|\A)[\u200c\u200d]"
"""Joiners shape emoji and scripts such as Persian; next to ASCII they only hide text."""

_HIDDEN: Final = re.compile(rf"[{_CONTROLS}{_BIDIRECTIONAL}{_INVISIBLE}{_TAGS}]|{_JOINER_IN_LATIN}")


def hidden_characters(value: Any) -> list[tuple[str, str]]:
    """Return JSON pointers into a value, each with the hidden character at that place.

    Args:
        value: A text, or a JSON value that contains texts. Names of properties are texts, too.
    """
    return list(islice(_found("", value), MAX_FOUND))


def _found(pointer: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if hidden := _HIDDEN.search(value):
            yield pointer, _told(hidden)
    elif isinstance(value, dict):
        for name, below in value.items():
            if hidden := _HIDDEN.search(name):
                yield pointer, f"{_told(hidden)} of the name of a property"
            yield from _found(f"{pointer}/{pointer_part(name)}", below)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _found(f"{pointer}/{index}", below)


def _told(hidden: re.Match[str]) -> str:
    character = hidden[0]
    name = unicodedata.name(character, "a character without a name")
    return f"U+{ord(character):04X} ({name}) at position {hidden.start() + 1}"

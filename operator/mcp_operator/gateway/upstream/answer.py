"""What a backend answered, and how its words are shown where they explain a failure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from mcp_operator.api import places

MAX_ERROR_TEXT = 1000
"""Characters of a backend's error that reach a model: enough to act on."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control, zero-width, bidirectional and tag characters: they hide text from human reviewers. Half
surrogates: what stands for the bytes of a header that are not UTF-8."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend answered.

    Attributes:
        status: The HTTP status.
        content_type: `Content-Type` as sent, empty where there was none.
        body: The content, decompressed.
        headers: Names in lower case and values, in the order in which they came.
        cut: Why `body` is only the beginning of the content; empty where it is whole.
        problem: Why there is no body that could be used; empty where there is.
    """

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    cut: str = ""
    problem: str = ""

    @property
    def media_type(self) -> str:
        """The type without parameters, in lower case."""
        return places.media_type(self.content_type)

    @property
    def is_empty(self) -> bool:
        """Whether nothing but white space came: a 204, or the line break that some APIs send."""
        return not self.body or self.body.isspace()

    def header(self, name: str) -> str:
        """Return a header's value on one line, empty for none.

        Several of one name are joined as RFC 9110 section 5.3 does.
        """
        wanted = name.lower()
        return ", ".join([value for key, value in self.headers if key == wanted])


def status_line(answer: Answer) -> str:
    """Begin the sentence that says what happened."""
    try:
        phrase = f" {HTTPStatus(answer.status).phrase}"
    except ValueError:
        phrase = ""
    return f"The backend answered {answer.status}{phrase}"


def clean(text: str) -> str:
    """Shorten a foreign text and drop the characters that hide or forge text."""
    shown = _INVISIBLE.sub("", text[: 2 * MAX_ERROR_TEXT])
    cut = len(shown) > MAX_ERROR_TEXT or len(text) > 2 * MAX_ERROR_TEXT
    return shown[:MAX_ERROR_TEXT] + "…" if cut else shown

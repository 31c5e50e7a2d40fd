"""A backend's response, and helpers that show its text in error messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from mcp_operator.api import places

MAX_ERROR_TEXT = 1000
"""Characters of a backend's error that are shown to a model: enough to act on."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control, zero-width, bidirectional and tag characters, which hide text from human reviewers, and
half surrogates, which replace bytes of a header that are not UTF-8."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A backend's response.

    Attributes:
        status: The HTTP status.
        content_type: `Content-Type` as sent; empty if there was none.
        body: The content, decompressed.
        headers: Names in lower case and values, in the order in which they came.
        cut: Why `body` is only the beginning of the content; empty if it is complete.
        problem: Why there is no usable body; empty if there is one.
    """

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    cut: str = ""
    problem: str = ""

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return places.media_type(self.content_type)

    @property
    def is_empty(self) -> bool:
        """Whether the body has only white space: for a 204, or a newline that some APIs send."""
        return not self.body or self.body.isspace()

    def header(self, name: str) -> str:
        """Return a header's value on one line; empty if it is missing.

        The values of a repeated header are joined as in RFC 9110 section 5.3.
        """
        wanted = name.lower()
        return ", ".join([value for key, value in self.headers if key == wanted])


def status_line(answer: Answer) -> str:
    """Return the beginning of a message about a response: its status."""
    try:
        phrase = f" {HTTPStatus(answer.status).phrase}"
    except ValueError:
        phrase = ""
    return f"The backend answered {answer.status}{phrase}"


def clean(text: str) -> str:
    """Shorten text from a backend, and remove characters that can hide or forge text."""
    shown = _INVISIBLE.sub("", text[: 2 * MAX_ERROR_TEXT])
    cut = len(shown) > MAX_ERROR_TEXT or len(text) > 2 * MAX_ERROR_TEXT
    return shown[:MAX_ERROR_TEXT] + "…" if cut else shown

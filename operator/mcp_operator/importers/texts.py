"""Prepares texts of a document for models: no hidden characters, cut at the end of a sentence."""

from __future__ import annotations

import re
from typing import Any, Final

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, except tab and line feed
    "\u200b\u2028\u2029\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff"  # halves of surrogate pairs, which cannot be encoded
    "\U000e0000-\U000e007f]"
)
"""Characters that models read and reviewers cannot see: controls, joiners, bidi controls, tags."""

_BLANK_LINES: Final = re.compile(r"\n{3,}")
_TRAILING: Final = re.compile(r"[ \t]+\n")
_END: Final = re.compile(r"[.!?:][)\"'`*]*(?=\s|$)|\n\n")
"""Where a sentence or a paragraph ends."""


def cleaned(text: Any) -> str:
    """Return a text without hidden characters and without spaces at the ends of its lines."""
    if not isinstance(text, str):
        return ""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u0085", "\n")
    visible = _HIDDEN.sub("", lines).replace("\t", "    ")
    return _BLANK_LINES.sub("\n\n", _TRAILING.sub("\n", visible)).strip()


def in_one_line(text: Any) -> str:
    """Return a text without hidden characters and line ends, for a comment or a terminal."""
    return " ".join(cleaned(text).split())


def shortened(text: str, limit: int) -> str:
    """Cut a text to at most `limit` characters, after the last sentence that fits.

    If no sentence fits, the text is cut between two words.
    """
    if len(text) <= limit:
        return text
    ends = [found.end() for found in _END.finditer(text, 0, limit) if found.end() <= limit]
    if ends and ends[-1] >= limit // 4:
        return _without_opening(text[: ends[-1]].strip())
    cut = text[: max(limit - 2, 0)]
    words = cut.rpartition(" ")[0] or cut
    return f"{words.rstrip(' ,;:-')} …"[:limit]


def first_sentence(text: str, limit: int) -> str:
    """Return the first sentence of a text, in one line of at most `limit` characters."""
    found = _END.search(text)
    sentence = text[: found.end()] if found else text
    return shortened(" ".join(sentence.split()), limit)


def sentences(*texts: str) -> str:
    """Join texts with full stops between them, and drop texts that another text contains."""
    said: list[str] = []
    for text in filter(None, map(str.strip, texts)):
        bare = _bare(text)
        if bare and not any(bare in _bare(other) for other in said):
            said = [other for other in said if not bare.startswith(_bare(other))]
            said.append(text)
    ended = [text if text[-1] in ".!?:…`" else f"{text}." for text in said[:-1]] + said[-1:]
    separator = "\n\n" if any("\n" in text for text in ended) else " "
    return separator.join(ended)


def _bare(text: str) -> str:
    return text.rstrip(".").casefold()


def _without_opening(text: str) -> str:
    """Replace a final colon, because the text that it introduced is cut off."""
    return text[:-1] + "." if text.endswith(":") else text

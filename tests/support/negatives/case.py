"""One negative case."""

from __future__ import annotations

from dataclasses import dataclass

from mcp_operator.core.meta import Object


@dataclass(frozen=True)
class Negative:
    """A refused object; `field` and `fragment` are both in what is said of it."""

    sentence: str
    obj: Object
    field: str
    fragment: str

    def __str__(self) -> str:
        return self.sentence.replace(" ", "_")

"""One negative case."""

from __future__ import annotations

from dataclasses import dataclass

from mcp_operator.core.meta import Object


@dataclass(frozen=True)
class Negative:
    """A refused object; the error message contains `field` and `fragment`."""

    sentence: str
    obj: Object
    field: str
    fragment: str

    def __str__(self) -> str:
        return self.sentence.replace(" ", "_")

"""The bases of what a catalog is made of."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class CatalogModel(BaseModel):
    """Frozen; camelCase on the wire; unknown fields ignored; validators built at first use."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,
    )

    @cached_property
    def canonical_json(self) -> str:
        """The one JSON encoding of this part: defaults and unset fields left out.

        Kept, as an entry goes into each new catalog until its own object changes.
        """
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def __copy__(self) -> Self:
        """Copy all but the JSON, as `model_copy` changes fields of what this returns."""
        copied = super().__copy__()
        copied.__dict__.pop("canonical_json", None)
        return copied


class Strict(CatalogModel):
    """A part of a request that keeps what it does not know, so that it is not sent by halves.

    A gateway that is a release older than the operator would otherwise leave out, without a word, a
    field that changes what is asked of a backend. Defaults are not written, so only entries that
    use a new field hold one.
    """

    model_config = ConfigDict(extra="allow")

    @property
    def unknown(self) -> list[str]:
        """The fields that this release does not know, of this part and of those below it."""
        found = sorted(self.model_extra or ())
        for name in type(self).model_fields:
            value = getattr(self, name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Strict):
                    found += part.unknown
        return found

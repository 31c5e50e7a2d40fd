"""The base classes of the parts of a catalog."""

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
        """The canonical JSON of this part, without defaults and unset fields.

        Cached, because an entry goes unchanged into each new catalog until its object changes.
        """
        return self.model_dump_json(by_alias=True, exclude_defaults=True)

    def __copy__(self) -> Self:
        """Copy everything but the cached JSON, because `model_copy` changes fields of the copy."""
        copied = super().__copy__()
        copied.__dict__.pop("canonical_json", None)
        return copied


class Strict(CatalogModel):
    """A part of a request that keeps unknown fields, so that a gateway can detect them.

    Otherwise, a gateway that is one release older than the operator would silently drop a field
    that changes the request to a backend. Defaults are not written, so only entries that use a new
    field contain it.
    """

    model_config = ConfigDict(extra="allow")

    @property
    def unknown(self) -> list[str]:
        """The fields that this release does not know, in this part and in nested parts."""
        found = sorted(self.model_extra or ())
        for name in type(self).model_fields:
            value = getattr(self, name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Strict):
                    found += part.unknown
        return found

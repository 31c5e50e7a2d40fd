"""What a list, watch or informer covers: a namespace, selectors, whole objects or metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from mcp_operator.core.meta import Object, key_of, labels_of


class ListOptions(TypedDict, total=False):
    """The options of a list or watch, as keyword arguments; all are optional.

    Attributes:
        namespace: The namespace; empty for all namespaces.
        label_selector: Selects by labels.
        field_selector: Selects by fields.
        metadata_only: Ask the server for the metadata only.
    """

    namespace: str
    label_selector: str
    field_selector: str
    metadata_only: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """Evaluates list options locally, for objects that come from writes and not from the watch.

    Attributes:
        namespace: The namespace; empty for all namespaces.
        label_selector: `label=value` or `!label` requirements, separated by commas.
        field_selector: `path=value` requirements, separated by commas.
        metadata_only: Only the metadata of objects is kept.

    Raises:
        ValueError: A selector has a requirement of another form, which is not supported here.
    """

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False
    _labels: dict[str, str | None] = field(init=False, repr=False, compare=False)
    _fields: dict[str, str | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_labels", _requirements(self.label_selector))
        object.__setattr__(self, "_fields", _requirements(self.field_selector))

    def matches(self, obj: Object) -> bool:
        """Return whether the API server would send this object."""
        return (
            self.namespace in {"", key_of(obj).namespace}
            and all(labels_of(obj).get(name) == value for name, value in self._labels.items())
            and all(_value(obj, path) == value for path, value in self._fields.items())
        )


def _requirements(selector: str) -> dict[str, str | None]:
    requirements: dict[str, str | None] = {}
    for part in filter(None, selector.split(",")):
        name, sign, value = part.strip().partition("=")
        if name.startswith("!") and not sign:
            requirements[name[1:]] = None
        elif not sign or "!" in name or value.startswith("="):
            text = f"selector {selector!r}: only name=value and !name are supported, not {part!r}"
            raise ValueError(text)
        else:
            requirements[name] = value
    return requirements


def _value(obj: Object, path: str) -> str:
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else str(value)

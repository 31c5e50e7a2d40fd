"""The differences between an earlier import and a new one, by object and by tool."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_operator.api.catalog import JsonObject


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences between two imports.

    Attributes:
        added: The tools that only the new import has.
        removed: The tools that only the old import has.
        changed: The tools that both have, with different definitions.
        others: The objects with differences outside of their tools, or of other kinds.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    others: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Yield a line for each kind of difference; no lines if the imports are equal."""
        for what in ("added", "removed", "changed"):
            names = getattr(self, what)
            if names:
                yield f"{what}: {', '.join(names)}"
        if self.others:
            yield f"changed outside of the tools: {', '.join(self.others)}"


def differences(old: Iterable[JsonObject], new: Iterable[JsonObject]) -> Differences:
    """Compare the objects of two imports."""
    olds, news = tuple(old), tuple(new)
    before, after = _tools(olds), _tools(news)
    frames_before, frames_after = _frames(olds), _frames(news)
    return Differences(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name in after if name in before and before[name] != after[name]),
        others=tuple(
            name
            for name in {**frames_before, **frames_after}
            if frames_before.get(name) != frames_after.get(name)
        ),
    )


def unified(old: str, new: str, name: str) -> Iterator[str]:
    """Yield the lines in which a new text differs from an old one, as `diff -u` does."""
    yield from difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        name,
        f"{name} (imported again)",
    )


def _tools(objects: Iterable[JsonObject]) -> Mapping[str, Any]:
    return {str(tool.get("name")): tool for obj in objects for tool in _entries(obj)}


def _entries(obj: JsonObject) -> list[JsonObject]:
    spec = obj.get("spec")
    entries = spec.get("tools") if isinstance(spec, dict) else None
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _frames(objects: Iterable[JsonObject]) -> Mapping[str, Any]:
    """Return objects without the content of their tools."""
    frames = {}
    for obj in objects:
        metadata, spec = obj.get("metadata"), obj.get("spec")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        rest = {**spec, "tools": None} if isinstance(spec, dict) else spec
        frames[f"{obj.get('kind')} {name}"] = {**obj, "spec": rest}
    return frames

"""URI templates of resources: RFC 6570's `{a}` and `{+a}` in the path, `{?a,b*}` for the query.

Matching is the reverse of expansion. Its input comes from clients, so it is strict: only `{+a}` can
contain a slash, and no value can contain `..`, not even in an encoded form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from mcp_operator.core.errors import OperatorError

MAX_URI_LENGTH = 8192
"""Characters of a URI; longer URIs match nothing."""

Variables = dict[str, str | list[str]]
"""The values of a template's variables: a list for `{?name*}`."""

_PLACE = re.compile(r"\{(\+?[A-Za-z0-9_]+)\}")
_QUERY = re.compile(r"\{\?([A-Za-z0-9_]+\*?(?:,[A-Za-z0-9_]+\*?)*)\}$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PERCENT_ERROR = re.compile(r"%(?![0-9A-Fa-f]{2})")


class TemplateError(OperatorError):
    """A URI template cannot be matched; the sentence says why."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """One path segment: literals around variables, with one more literal than variables.

    If `several` is True, its one variable can span more than this segment.
    """

    literals: tuple[str, ...]
    names: tuple[str, ...]
    several: bool = False

    def match(self, text: str) -> dict[str, str] | None:
        """Return the raw values: each is not empty, and the shortest that lets the rest match."""
        if not self.names:
            return {} if text == self.literals[0] else None
        first, last = self.literals[0], self.literals[-1]
        if not text.startswith(first) or not text.endswith(last):
            return None
        at, end = len(first), len(text) - len(last)
        values = {}
        for name, literal in zip(self.names[:-1], self.literals[1:-1], strict=True):
            stop = text.find(literal, at + 1, end)
            if stop < 0:
                return None
            values[name] = text[at:stop]
            at = stop + len(literal)
        values[self.names[-1]] = text[at:end]
        return values if at < end else None


class UriTemplate:
    """A compiled URI template."""

    def __init__(self, template: str) -> None:
        """Compile.

        Raises:
            TemplateError: It uses more than `{name}`, one `{+name}` and a final `{?a,b*}`, names a
                variable twice, or has two variables side by side.
        """
        self.template = template
        query = _QUERY.search(template)
        path = template[: query.start()] if query else template
        listed = query[1].split(",") if query else []
        self.query_names = frozenset(name.removesuffix("*") for name in listed)
        self.several = frozenset(name.removesuffix("*") for name in listed if name.endswith("*"))
        """Variables that can have several values."""
        self._segments = tuple(_segment(part, template) for part in path.split("/"))
        names = [name for segment in self._segments for name in segment.names]
        names += [name.removesuffix("*") for name in listed]
        if len(names) != len(set(names)):
            raise TemplateError(
                f"the URI template {template!r} has a variable twice: use each name once"
            )
        self.names = frozenset(names)
        wide = [index for index, segment in enumerate(self._segments) if segment.several]
        if len(wide) > 1:
            raise TemplateError(
                f"the URI template {template!r} has more than one {{+name}}: use one"
            )
        self._wide = wide[0] if wide else None
        self.literal_length = sum(
            len(literal) for segment in self._segments for literal in segment.literals
        )

    def match(self, uri: str) -> Variables | None:
        """Return the decoded value of each variable, or None if the URI does not match."""
        if len(uri) > MAX_URI_LENGTH or "#" in uri or _PERCENT_ERROR.search(uri):
            return None
        path, mark, query = uri.partition("?")
        if mark and not self.query_names:
            return None
        parts = self._parts(path)
        if parts is None:
            return None
        values: Variables = {}
        for segment, part in zip(self._segments, parts, strict=True):
            raw = segment.match(part)
            if raw is None:
                return None
            for name, value in raw.items():
                decoded = _decode(value)
                safe = is_safe_path if segment.several else is_safe_segment
                if decoded is None or not safe(decoded):
                    return None
                values[name] = decoded
        return self._match_query(query, values) if query else values

    def _parts(self, path: str) -> list[str] | None:
        """Split a path into one part per segment; the part of `{+name}` can have slashes."""
        parts = path.split("/")
        more = len(parts) - len(self._segments)
        if self._wide is None or more <= 0:
            return parts if more == 0 else None
        end = self._wide + more + 1
        return [*parts[: self._wide], "/".join(parts[self._wide : end]), *parts[end:]]

    def _match_query(self, query: str, values: Variables) -> Variables | None:
        for pair in query.split("&"):
            name, equals, raw = pair.partition("=")
            decoded = _decode(raw)
            if not equals or name not in self.query_names or decoded is None:
                return None
            known = values.get(name, [])
            if name in self.several and isinstance(known, list):
                values[name] = [*known, decoded]
            elif name in values:
                return None
            else:
                values[name] = decoded
        return values


def is_safe_segment(value: str) -> bool:
    """Tell whether a value stays in one path segment, even if a backend decodes it repeatedly."""
    while True:
        if value in {".", ".."} or "/" in value or "\\" in value or _CONTROL.search(value):
            return False
        decoded = unquote(value, errors="replace")
        if decoded == value:
            return True
        value = decoded


def is_safe_path(value: str) -> bool:
    """Tell whether a path stays below its place, even if a backend decodes it repeatedly."""
    while True:
        if any(not part or not is_safe_segment(part) for part in value.split("/")):
            return False
        decoded = unquote(value, errors="replace")
        if decoded == value:
            return True
        value = decoded


def _decode(value: str) -> str | None:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return None


def _segment(text: str, template: str) -> _Segment:
    parts = _PLACE.split(text)
    literals, names = tuple(parts[0::2]), tuple(parts[1::2])
    if any("{" in literal or "}" in literal for literal in literals):
        raise TemplateError(
            f"the URI template {template!r} has an expression that is not supported: use {{name}}, "
            "one {+name}, and {?a,b*} at the end"
        )
    if "" in literals[1:-1]:
        raise TemplateError(f"the URI template {template!r} has no text between two variables")
    several = any(name.startswith("+") for name in names)
    if several and len(names) > 1:
        raise TemplateError(
            f"the URI template {template!r} has another variable in the segment of {{+name}}"
        )
    return _Segment(literals, tuple(name.removeprefix("+") for name in names), several)

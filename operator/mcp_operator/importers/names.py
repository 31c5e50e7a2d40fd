"""Names of tools, arguments and objects: valid for clients, and the same in every run.

Most model APIs require `[A-Za-z0-9_-]{1,64}` for the names of tools and arguments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from mcp_operator.importers.operations import Operation

MAX_NAME: Final = 64

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]+")
_SPELT: Final = {"<": "_before", ">": "_after", "[]": "", "+": "_plus"}
"""Replacements that keep names distinct: Twilio has parameters `StartTime<` and `StartTime>`."""

_TARGET: Final = re.compile(r"[!-:<>-~]{1,128}")
"""A query parameter, cookie or field: printable ASCII without spaces, ';' and '='."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
"""A header or cookie (RFC 9110, section 5.6.2)."""

_PLACE: Final = re.compile(r"\{[^{}]*\}")

LOCATIONS: Final = ("path", "query", "header", "cookie", "body")
"""Where an argument goes. If several arguments claim a name, the first location keeps it."""


def is_target(name: str, location: str) -> bool:
    """Tell whether a parameter at this location can have the name."""
    pattern = _TOKEN if location in ("header", "cookie") else _TARGET
    return pattern.fullmatch(name) is not None


def fitting(text: str) -> str:
    """Reduce a text to the characters of a name, of any length; empty if none are left."""
    for sign, word in _SPELT.items():
        text = text.replace(sign, word)
    return _UNFIT.sub("_", text).strip("_-")


def cut(name: str, whole: str) -> str:
    """Return a name of at most `MAX_NAME` characters.

    Args:
        name: The name.
        whole: The source of the name. A name that is cut ends with a digest of it, so that it does
            not depend on other names.
    """
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:6]
    return f"{name[: MAX_NAME - 7].rstrip('_-')}_{digest}"


def numbered(name: str, taken: Iterable[str]) -> str:
    """Return a name that is not taken: the name itself, or the name with the first free number."""
    number = 1
    result = name
    while result in taken:
        number += 1
        end = f"_{number}"
        result = name[: MAX_NAME - len(end)] + end
    return result


def tool_names(operations: Iterable[Operation], prefix: str = "") -> dict[str, str]:
    """Name every operation of a document.

    Names depend neither on the order of the operations nor on which of them are imported.

    Returns:
        The names by the operations' labels.
    """
    wanted = {operation.label: _tool_name(operation, prefix) for operation in operations}
    names: dict[str, str] = {}
    taken: set[str] = set()
    for label in sorted(wanted, key=lambda label: label.split(" ")[::-1]):
        names[label] = numbered(wanted[label], taken)
        taken.add(names[label])
    return names


def argument_names(targets: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Name the arguments of one tool.

    Args:
        targets: The location of each argument, and its name there.

    Returns:
        The names by location and name.
    """
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for location, target in sorted(targets, key=_claim):
        whole = fitting(target) or location
        name = cut(whole, target)
        if name in taken:
            name = cut(f"{location}_{whole}", f"{location} {target}")
        names[location, target] = numbered(name, taken)
        taken.add(names[location, target])
    return names


def object_name(text: str, limit: int = 63) -> str:
    """Turn a text into the name of a Kubernetes object: a DNS label (RFC 1123)."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words[:limit].strip("-")


def _claim(target: tuple[str, str]) -> tuple[bool, int, str]:
    location, name = target
    return name != fitting(name), LOCATIONS.index(location), name


def _tool_name(operation: Operation, prefix: str) -> str:
    whole = operation.id if fitting(operation.id) else _described(operation)
    return cut(prefix + fitting(whole), whole)


def _described(operation: Operation) -> str:
    """Name an operation by its method and path: `get_pets_by_petId` for `GET /pets/{petId}`."""
    path = operation.template
    for place in _PLACE.findall(path):
        path = path.replace(place, f"by_{place[1:-1]}", 1)
    return f"{operation.method.lower()}_{path.strip('/') or 'root'}"

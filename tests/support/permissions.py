"""Permissions: those that roles grant, and those that the API server's audit log shows in use."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from mcp_operator.core.meta import Object

_TERMINATING = "because it is being terminated"
"""Forbidden to everybody: to make something in a namespace that is being deleted (apiserver,
admission plugin NamespaceLifecycle)."""


class Permission(NamedTuple):
    """One verb on one resource.

    Attributes:
        group: the API group; empty for the core's.
        resource: the plural, and where there is one a slash and the subresource.
        verb: as RBAC has it.
    """

    group: str
    resource: str
    verb: str


def granted(rules: Iterable[Object]) -> set[Permission]:
    """Return what rules grant, whichever names they restrict it to."""
    return {
        Permission(*permission)
        for rule in rules
        for permission in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def used(log: Path, user: str) -> set[Permission]:
    """Return what a user was let do.

    A PATCH that created its object, as server-side apply does, has used `create` besides.
    """
    permissions = set()
    for entry in _requests(log, user):
        if entry["responseStatus"]["code"] == HTTPStatus.FORBIDDEN:
            continue
        permission = _permission(entry)
        permissions.add(permission)
        if permission.verb == "patch" and entry["responseStatus"]["code"] == HTTPStatus.CREATED:
            permissions.add(permission._replace(verb="create"))
    return permissions


def denied(log: Path, user: str) -> list[str]:
    """Return a line for each request of a user that was forbidden for want of a permission."""
    return [
        f"{entry['verb']} {entry['requestURI']}: {entry['responseStatus'].get('message', '')}"
        for entry in _requests(log, user)
        if entry["responseStatus"]["code"] == HTTPStatus.FORBIDDEN
        and _TERMINATING not in entry["responseStatus"].get("message", "")
    ]


def _requests(log: Path, user: str) -> Iterator[Object]:
    """Yield the answered requests of a user for objects."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if user not in line or not line.endswith("\n"):
                continue  # somebody else's, or not written to its end yet
            entry = json.loads(line)
            if entry["user"]["username"] == user and "objectRef" in entry:
                yield entry


def _permission(entry: Object) -> Permission:
    target = entry["objectRef"]
    resource = target["resource"]
    if subresource := target.get("subresource"):
        resource = f"{resource}/{subresource}"
    return Permission(target.get("apiGroup", ""), resource, entry["verb"])

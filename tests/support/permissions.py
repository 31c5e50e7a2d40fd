"""Permissions that roles grant, and permissions that are used according to the audit log."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from mcp_operator.core.meta import Object

_TERMINATING = "because it is being terminated"
"""Nobody can create objects in a namespace that is being deleted (apiserver, admission plugin
NamespaceLifecycle)."""


class Permission(NamedTuple):
    """One verb on one resource.

    Attributes:
        group: the API group; empty for the core group.
        resource: the plural, and optionally a slash and the subresource.
        verb: the verb of RBAC.
    """

    group: str
    resource: str
    verb: str


def granted(rules: Iterable[Object]) -> set[Permission]:
    """Return the permissions of rules, ignoring their resource names."""
    return {
        Permission(*permission)
        for rule in rules
        for permission in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def used(log: Path, user: str) -> set[Permission]:
    """Return the permissions that a user has used.

    A server-side apply that created its object has also used `create`.
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
    """Return a line for each request of a user that was forbidden by RBAC."""
    return [
        f"{entry['verb']} {entry['requestURI']}: {entry['responseStatus'].get('message', '')}"
        for entry in _requests(log, user)
        if entry["responseStatus"]["code"] == HTTPStatus.FORBIDDEN
        and _TERMINATING not in entry["responseStatus"].get("message", "")
    ]


def _requests(log: Path, user: str) -> Iterator[Object]:
    """Yield the completed requests of a user for objects."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if user not in line or not line.endswith("\n"):
                continue  # of another user, or not completely written yet
            entry = json.loads(line)
            if entry["user"]["username"] == user and "objectRef" in entry:
                yield entry


def _permission(entry: Object) -> Permission:
    target = entry["objectRef"]
    resource = target["resource"]
    if subresource := target.get("subresource"):
        resource = f"{resource}/{subresource}"
    return Permission(target.get("apiGroup", ""), resource, entry["verb"])

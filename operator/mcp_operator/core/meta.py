"""Kubernetes object metadata as plain data: resources, keys, owners and label selectors.

Objects are the JSON dictionaries that the API server sends, typed as `Object`. Caches share them
with all readers, so they must not be modified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

Object = dict[str, Any]
"""One Kubernetes object, as decoded from JSON."""

UNREADABLE: Final = "mcp-operator.dev/unreadable"
"""The top-level field of an `Object` that says why parts of the object are missing. Its value
completes a sentence about the object. The API server never sends this field."""


class Key(NamedTuple):
    """Identifies one object of a kind; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Resource(NamedTuple):
    """One served resource: client-go's GroupVersionResource, and its kind.

    `group` is empty for the core group.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`version` for the core group, else `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, of one object, or of its subresource."""
        root = f"/apis/{self.group}" if self.group else "/api"
        parts = [root, self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


def key_of(obj: Mapping[str, Any]) -> Key:
    """Return the key of an object."""
    metadata = obj["metadata"]
    return Key(metadata.get("namespace", ""), metadata["name"])


def name_of(obj: Mapping[str, Any]) -> str:
    """Return the name, which is unique within a kind and namespace."""
    return str(obj["metadata"]["name"])


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return the UID; empty if the API server has not assigned one."""
    return str(obj["metadata"].get("uid", ""))


def generation_of(obj: Mapping[str, Any]) -> int:
    """Return `metadata.generation`; 0 for kinds without one."""
    return int(obj["metadata"].get("generation", 0))


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels; empty if there are none."""
    return obj["metadata"].get("labels") or {}


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the annotations; empty if there are none."""
    return obj["metadata"].get("annotations") or {}


def resource_version_of(obj: Mapping[str, Any]) -> int:
    """Return the resourceVersion as a number, comparable within one resource (KEP-5504).

    Returns:
        The number; 0 if there is none or it is not a decimal.
    """
    raw = obj["metadata"].get("resourceVersion", "")
    return int(raw) if raw.isdecimal() else 0


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Return whether deletion has started."""
    return "deletionTimestamp" in obj["metadata"]


def owner_reference(owner: Mapping[str, Any]) -> Object:
    """Return the owner reference that makes `owner` the controller of a child."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """Return the owner reference with `controller: true`, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Return whether `owner`, compared by UID, is the controller of `obj`."""
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == uid_of(owner)


def _requirement(expression: Mapping[str, Any]) -> Callable[[Mapping[str, str]], bool]:
    key, operator = expression["key"], expression["operator"]
    values = frozenset(expression.get("values") or ())
    match operator:
        case "In":
            return lambda labels: labels.get(key) in values
        case "NotIn":
            return lambda labels: labels.get(key) not in values
        case "Exists":
            return lambda labels: key in labels
        case "DoesNotExist":
            return lambda labels: key not in labels
        case _:
            raise ValueError(
                f"matchExpressions: operator {operator!r} is not one of "
                "In, NotIn, Exists, DoesNotExist"
            )


class LabelSelector:
    """A compiled `metav1.LabelSelector`: all requirements must match.

    An empty selector matches everything, as in Kubernetes. What an absent one means is up to the
    caller.

    Attributes:
        match_labels: The labels that are required with a value.
        keys: The keys of all labels that the requirements use.
    """

    __slots__ = ("_requirements", "keys", "match_labels")

    def __init__(
        self,
        match_labels: Mapping[str, str] | None = None,
        match_expressions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.match_labels: Mapping[str, str] = dict(match_labels or {})
        self._requirements = tuple(_requirement(expression) for expression in match_expressions)
        self.keys = frozenset({*self.match_labels, *(each["key"] for each in match_expressions)})

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | None) -> LabelSelector:
        """Compile the JSON form, `{matchLabels, matchExpressions}`.

        Raises:
            ValueError: An operator is unknown.
        """
        raw = raw or {}
        return cls(raw.get("matchLabels"), raw.get("matchExpressions") or ())

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether `labels` match all requirements."""
        for key, value in self.match_labels.items():
            if labels.get(key) != value:
                return False
        return all(matches(labels) for matches in self._requirements)

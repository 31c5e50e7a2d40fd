"""The cache of one resource: objects by key, with indexes that change in the same step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from mcp_operator.core.meta import Key, LabelSelector, Object, key_of, labels_of

IndexFunction = Callable[[Object], Iterable[Hashable]]
"""Returns the values under which an object is found. Must not raise, whatever the object."""

Objects = list[Object]

_NAMESPACE: Final = "namespace"
_LABEL: Final = "label"


class _Index:
    """Finds objects by a value; within one value they keep the order in which they came."""

    __slots__ = ("_buckets", "_found_by", "_values")

    def __init__(self, values: IndexFunction) -> None:
        self._values = values
        self._buckets: dict[Hashable, dict[Key, Object]] = {}
        self._found_by: dict[Key, tuple[Hashable, ...]] = {}

    def put(self, key: Key, obj: Object) -> None:
        values = tuple(self._values(obj))
        before = self._found_by.get(key, ())
        if values != before:
            self._discard(key, set(before).difference(values))
            self._found_by[key] = values
        for value in values:
            self._buckets.setdefault(value, {})[key] = obj

    def remove(self, key: Key) -> None:
        self._discard(key, set(self._found_by.pop(key, ())))

    def _discard(self, key: Key, values: Iterable[Hashable]) -> None:
        for value in values:
            bucket = self._buckets[value]
            bucket.pop(key, None)
            if not bucket:
                del self._buckets[value]

    def bucket(self, value: Hashable) -> dict[Key, Object]:
        return self._buckets.get(value, {})


class Store:
    """Objects by key. Only an informer writes to it, and what is read must not be changed.

    Attributes:
        resource_version: The version up to which the API server has told every change; 0 before
            the first list is complete.
    """

    def __init__(self) -> None:
        self.resource_version = 0
        self._objects: dict[Key, Object] = {}
        self._indexes: dict[str, _Index] = {
            _NAMESPACE: _Index(lambda obj: (obj["metadata"].get("namespace", ""),)),
            _LABEL: _Index(lambda obj: labels_of(obj).items()),
        }

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects.values())

    def get(self, key: Key) -> Object | None:
        """Return the object of that name, if there is one."""
        return self._objects.get(key)

    def keys(self) -> set[Key]:
        """Return the names of all objects, as of now."""
        return set(self._objects)

    def list(self, namespace: str | None = None, selector: LabelSelector | None = None) -> Objects:
        """Return the objects of a namespace that a selector matches.

        Args:
            namespace: Only there; None stands for everywhere.
            selector: Only these; its `match_labels` are looked up, not searched for.
        """
        buckets = []
        if namespace is not None:
            buckets.append(self._indexes[_NAMESPACE].bucket(namespace))
        if selector is not None:
            label = self._indexes[_LABEL]
            buckets += [label.bucket(pair) for pair in selector.match_labels.items()]
        candidates = min(buckets, key=len, default=self._objects).values()
        return [
            obj
            for obj in candidates
            if (namespace is None or obj["metadata"].get("namespace", "") == namespace)
            and (selector is None or selector.matches(labels_of(obj)))
        ]

    def add_index(self, name: str, values: IndexFunction) -> None:
        """Make objects findable by the values that a function returns for them.

        Raises:
            ValueError: There is an index of that name already.
        """
        if name in self._indexes:
            raise ValueError(f"the store has an index {name!r} already: choose another name")
        index = self._indexes[name] = _Index(values)
        for key, obj in self._objects.items():
            index.put(key, obj)

    def by_index(self, name: str, value: Hashable) -> Objects:
        """Return the objects that an index has under a value.

        Raises:
            KeyError: There is no index of that name.
        """
        return [*self._indexes[name].bucket(value).values()]

    def put(self, obj: Object) -> None:
        """Put in an object, or put it in the place of an older state."""
        key = key_of(obj)
        self._objects[key] = obj
        for index in self._indexes.values():
            index.put(key, obj)

    def remove(self, key: Key) -> None:
        """Take out an object.

        Raises:
            KeyError: There is none of that name.
        """
        del self._objects[key]
        for index in self._indexes.values():
            index.remove(key)

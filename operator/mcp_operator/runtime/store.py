"""The store of an informer: objects by key, with indexes that are updated in the same step."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from mcp_operator.core.meta import Key, LabelSelector, Object, key_of, labels_of

IndexFunction = Callable[[Object], Iterable[Hashable]]
"""Returns the values under which an object is indexed. It must not raise for any object."""

Objects = list[Object]

_NAMESPACE: Final = "namespace"
_LABEL: Final = "label"


class _Index:
    """Finds objects by a value, in the order in which they were added to it."""

    __slots__ = ("_buckets", "_function", "_values_of")

    def __init__(self, values: IndexFunction) -> None:
        self._function = values
        self._buckets: dict[Hashable, dict[Key, Object]] = {}
        self._values_of: dict[Key, tuple[Hashable, ...]] = {}

    def put(self, key: Key, obj: Object) -> None:
        values = tuple(self._function(obj))
        before = self._values_of.get(key, ())
        if values != before:
            self._discard(key, set(before).difference(values))
            self._values_of[key] = values
        for value in values:
            self._buckets.setdefault(value, {})[key] = obj

    def remove(self, key: Key) -> None:
        self._discard(key, set(self._values_of.pop(key, ())))

    def _discard(self, key: Key, values: Iterable[Hashable]) -> None:
        for value in values:
            bucket = self._buckets[value]
            bucket.pop(key, None)
            if not bucket:
                del self._buckets[value]

    def bucket(self, value: Hashable) -> dict[Key, Object]:
        return self._buckets.get(value, {})


class Store:
    """Objects by key, with indexes; client-go's Indexer. Its objects must not be modified."""

    def __init__(self) -> None:
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
        """Return the object with a key, or None."""
        return self._objects.get(key)

    def keys(self, namespace: str = "") -> set[Key]:
        """Return a snapshot of the keys in a namespace (empty for all)."""
        return set(self._indexes[_NAMESPACE].bucket(namespace) if namespace else self._objects)

    def count(self, namespace: str = "") -> int:
        """Return how many objects are in a namespace (empty for all)."""
        return len(self._indexes[_NAMESPACE].bucket(namespace) if namespace else self._objects)

    def list(self, namespace: str | None = None, selector: LabelSelector | None = None) -> Objects:
        """Return the objects that `select` yields."""
        return [*self.select(namespace, selector)]

    def select(
        self, namespace: str | None = None, selector: LabelSelector | None = None
    ) -> Iterator[Object]:
        """Yield the present objects in a namespace (None for all) that match a selector.

        The `match_labels` of the selector are looked up in an index.
        """
        buckets = []
        if namespace is not None:
            buckets.append(self._indexes[_NAMESPACE].bucket(namespace))
        if selector is not None:
            label = self._indexes[_LABEL]
            buckets += [label.bucket(pair) for pair in selector.match_labels.items()]
        return (
            obj
            for obj in tuple(min(buckets, key=len, default=self._objects).values())
            if (namespace is None or obj["metadata"].get("namespace", "") == namespace)
            and (selector is None or selector.matches(labels_of(obj)))
        )

    def add_index(self, name: str, values: IndexFunction) -> None:
        """Index objects by the values that a function returns for them.

        Raises:
            ValueError: An index of that name exists.
        """
        if name in self._indexes:
            raise ValueError(f"the store already has an index {name!r}: choose another name")
        index = self._indexes[name] = _Index(values)
        for key, obj in self._objects.items():
            index.put(key, obj)

    def by_index(self, name: str, value: Hashable) -> Objects:
        """Return the objects that are indexed under a value.

        Raises:
            KeyError: There is no index of that name.
        """
        return [*self._indexes[name].bucket(value).values()]

    def put(self, obj: Object) -> None:
        """Add or replace an object."""
        key = key_of(obj)
        self._objects[key] = obj
        for index in self._indexes.values():
            index.put(key, obj)

    def remove(self, key: Key) -> None:
        """Remove an object.

        Raises:
            KeyError: The store does not have it.
        """
        del self._objects[key]
        for index in self._indexes.values():
            index.remove(key)

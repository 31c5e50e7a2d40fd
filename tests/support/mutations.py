"""Detects changes of cached objects, which are shared and read-only by contract.

client-go has the same for tests (tools/cache/mutation_detector.go).
"""

from __future__ import annotations

import pytest
from pydantic_core import to_json

from mcp_operator.core.meta import Object, key_of
from mcp_operator.runtime.store import Store


class MutationDetector:
    """Notes each object as it was when a store took it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._taken: list[tuple[Object, bytes]] = []
        put = Store.put

        def noting_put(store: Store, obj: Object) -> None:
            self._taken.append((obj, to_json(obj)))
            put(store, obj)

        monkeypatch.setattr(Store, "put", noting_put)

    def check(self) -> None:
        """Raise if an object has changed since, still cached or not."""
        for obj, before in self._taken:
            after = to_json(obj)
            assert after == before, f"the cached {obj.get('kind')} {key_of(obj)} was changed"

    def forget(self) -> None:
        """Begin again, where a test is long and its objects are many."""
        self._taken.clear()

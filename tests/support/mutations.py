"""Detects changes of cached objects, which are shared and read-only by contract.

client-go has the same for tests (tools/cache/mutation_detector.go).
"""

from __future__ import annotations

import pytest
from pydantic_core import to_json

from mcp_operator.core.meta import Object, key_of
from mcp_operator.runtime.store import Store


class MutationDetector:
    """Records each object when it is stored."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._taken: list[tuple[Object, bytes]] = []
        put = Store.put

        def recording_put(store: Store, obj: Object) -> None:
            self._taken.append((obj, to_json(obj)))
            put(store, obj)

        monkeypatch.setattr(Store, "put", recording_put)

    def check(self) -> None:
        """Raise if an object has changed since, even if it is no longer cached."""
        for obj, before in self._taken:
            after = to_json(obj)
            assert after == before, f"the cached {obj.get('kind')} {key_of(obj)} was changed"

    def forget(self) -> None:
        """Forget all objects, for long tests with many objects."""
        self._taken.clear()

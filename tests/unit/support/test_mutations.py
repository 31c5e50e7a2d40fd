"""The detector of mutated cache objects, which all other tests use, can fail a test."""

from __future__ import annotations

import pytest

from mcp_operator.runtime.store import Store
from support.mutations import MutationDetector
from support.objects import config_map


def test_an_error_names_the_cached_object_that_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        detector = MutationDetector(patch)
        obj = config_map("a", 5)
        Store().put(dict(obj, metadata=obj["metadata"]))
        detector.check()
        obj["metadata"]["labels"] = {"by": "a reader"}
        with pytest.raises(AssertionError, match="the cached ConfigMap demo/a was changed"):
            detector.check()
        del obj["metadata"]["labels"]

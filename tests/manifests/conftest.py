"""Fixtures that the tests of the manifests share."""

from __future__ import annotations

import pytest

from mcp_operator.core.meta import Object
from support.installations import Build, built
from support.provision import UnavailableError


@pytest.fixture
def build() -> Build:
    """A function that builds a kustomization by name; it skips the test without kustomize."""

    def objects(name: str, namespace: str = "") -> list[Object]:
        try:
            return built(name, namespace)
        except UnavailableError as error:
            pytest.skip(str(error))

    return objects

"""Fixtures for the tests of the children of a server."""

from __future__ import annotations

import pytest

from mcp_operator.controllers.children import ChildrenApplier
from mcp_operator.core.meta import Object
from mcp_operator.runtime.apply import Applier
from support.cached_cluster import CachedCluster


@pytest.fixture
def cluster() -> CachedCluster:
    return CachedCluster()


@pytest.fixture
def owner(cluster: CachedCluster) -> Object:
    return cluster.server()


@pytest.fixture
def children(cluster: CachedCluster) -> ChildrenApplier:
    return ChildrenApplier(cluster.cache, Applier(cluster, hash_annotation="hash"), cluster)

"""How long answers are kept, as a catalog says it."""

from __future__ import annotations

from mcp_operator.api.catalog_model import CatalogModel


class CachePolicy(CatalogModel):
    """How long answers of one backend are kept: `shared` by all clients, or for each its own."""

    ttl_seconds: float
    shared: bool = False


class ServerCache(CatalogModel):
    """What clients can cache, and whether the gateway caches answers in Redis.

    `resources` is for resources without a policy of their own, of which the gateway keeps nothing.
    """

    list_ttl_seconds: float = 0.0
    resources: CachePolicy | None = None
    in_redis: bool = False

"""How long a gateway and its clients can cache answers."""

from __future__ import annotations

from mcp_operator.api.catalog_model import CatalogModel


class CachePolicy(CatalogModel):
    """How long answers of one backend are cached: `shared` by all clients, or per client."""

    ttl_seconds: float
    shared: bool = False


class ServerCache(CatalogModel):
    """What clients can cache, and whether the gateway caches answers in Redis.

    `resources` applies to resources without their own policy. The gateway does not cache those;
    only clients do.
    """

    list_ttl_seconds: float = 0.0
    resources: CachePolicy | None = None
    in_redis: bool = False

"""The Redis of an MCPServer."""

from __future__ import annotations

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import DnsLabel, DnsSubdomain, PortNumber


class Redis(ApiModel):
    """A Redis that the user's own server reads from REDIS_HOST and REDIS_PORT."""

    model_config = validated(
        rule(
            "has(self.serviceName) != has(self.address)",
            "set exactly one of serviceName and address",
        )
    )

    service_name: DnsLabel | None = None
    """Name of a Redis Service in the same namespace."""
    address: DnsSubdomain | None = None
    """Host name or IPv4 address of a Redis elsewhere."""
    port: PortNumber = 6379
    """Port of the Redis."""

    @property
    def host(self) -> str:
        """What `REDIS_HOST` is set to."""
        return self.service_name or self.address or ""

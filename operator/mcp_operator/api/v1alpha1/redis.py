"""The Redis of an MCPServer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, matching, rule, validated
from mcp_operator.api.v1alpha1.common import DnsLabel, DnsSubdomain, PortNumber, SecretKeyRef

KeyPrefix = Annotated[
    str,
    matching(
        r"^[A-Za-z0-9:._/-]*$",
        "use letters, digits, ':', '.', '_', '/' and '-', such as shop:",
        max_length=64,
    ),
]


class RedisTls(ApiModel):
    """How the certificate of Redis is verified."""

    ca_secret_ref: SecretKeyRef | None = None
    """CA certificates in PEM; those of the system when left out."""
    server_name: DnsSubdomain | None = None
    """Name that the certificate must carry. When left out: NAME.NAMESPACE.svc of the Service, or
    address; with sentinel, the host that the Sentinels name."""
    insecure_skip_verify: bool = False
    """Accept any certificate. For tests only."""


class RedisSentinel(ApiModel):
    """Sentinels that know which Redis is the primary."""

    master_name: Annotated[
        str,
        matching(r"^[A-Za-z0-9._-]+$", "use letters, digits, '.', '_' and '-'", max_length=128),
    ]
    """Name under which the Sentinels watch the primary, such as mymaster."""
    username_secret_ref: SecretKeyRef | None = None
    """ACL user of the Sentinels, where they have one."""
    password_secret_ref: SecretKeyRef | None = None
    """Password of the Sentinels, where they have one."""


class Redis(ApiModel):
    """A Redis that the pods of a server share.

    In mode Gateway, it counts what rateLimits limit, for all pods together, and holds tasks, cached
    answers with cache.storage, and which sessions were deleted and what they subscribed to. In mode
    Direct, your own server reads its address from REDIS_HOST and REDIS_PORT.
    """

    model_config = validated(
        rule(
            "has(self.serviceName) != has(self.address)",
            "set exactly one of serviceName and address",
        ),
        rule(
            "!has(self.usernameSecretRef) || has(self.passwordSecretRef)",
            "a user needs a password; set passwordSecretRef",
            field_path=".passwordSecretRef",
        ),
        rule(
            "!has(self.sentinel) || !has(self.sentinel.usernameSecretRef) "
            "|| has(self.sentinel.passwordSecretRef)",
            "a user needs a password; set sentinel.passwordSecretRef",
            field_path=".sentinel",
        ),
    )

    service_name: DnsLabel | None = None
    """Name of a Redis Service in the same namespace, or of that of its Sentinels."""
    address: DnsSubdomain | None = None
    """Host name or IPv4 address of a Redis elsewhere, or of its Sentinels."""
    port: PortNumber = 6379
    """Port of the Redis, or of its Sentinels, which is usually 26379."""
    db: Annotated[int, Field(ge=0, le=1023)] | None = None
    """Number of the database; 0 when left out."""
    key_prefix: KeyPrefix | None = None
    """Prefix of all keys; empty when left out. It is followed by the namespace and name of the
    server, so that servers can share one Redis."""
    username_secret_ref: SecretKeyRef | None = None
    """User of Redis's access control lists; the default user when left out."""
    password_secret_ref: SecretKeyRef | None = None
    """Password; none when left out. A change applies to the next connection."""
    tls: RedisTls | None = None
    """TLS to Redis and to its Sentinels; none when left out."""
    sentinel: RedisSentinel | None = None
    """If set, serviceName or address, and port, are those of Sentinels, which name the
    primary."""
    failure_mode: Literal["Open", "Closed"] | None = None
    """What happens to calls that rateLimits
    limit, and to calls that can become tasks, while Redis is unavailable. Open, the default: each
    pod counts its own calls and applies its share of the limits, and calls are answered when they
    have ended. Closed: they get HTTP status 503."""

    @property
    def host(self) -> str:
        """What `REDIS_HOST` is set to."""
        return self.service_name or self.address or ""

"""Compiles `spec.redis`, the Redis that a server's gateways share, and resolves its references.

If a reference cannot be resolved, the gateways cannot use the Redis, and a finding says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_operator.api.catalog import Redis, SecretKey
from mcp_operator.api.hosts import SERVICE_HOST
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1 import redis as specs
from mcp_operator.api.v1alpha1.common import SecretKeyRef
from mcp_operator.builders.compile_endpoint import Referrer, service_host
from mcp_operator.builders.compiled import Finding, UnresolvedError
from mcp_operator.builders.references import Facts, References, service_port
from mcp_operator.core.meta import Key


@dataclass(frozen=True, slots=True)
class CompiledRedis:
    """The part of a catalog that says where Redis is.

    Attributes:
        redis: That part.
        finding: What cannot be resolved in it, if anything.
    """

    redis: Redis
    finding: Finding | None = None


def redis_service(server: MCPServer) -> Key | None:
    """Return the Service that `spec.redis` names; None if it names none."""
    spec = server.spec.redis
    if spec is None:
        return None
    if spec.service_name:
        return Key(server.namespace, spec.service_name)
    found = SERVICE_HOST.fullmatch(spec.address or "")
    return Key(found[2], found[1]) if found else None


def redis_references(server: MCPServer) -> References:
    """Return everything that `spec.redis` refers to."""
    spec = server.spec.redis
    if spec is None:
        return References()
    service = redis_service(server)
    return References(
        services=frozenset({service} if service else ()),
        secrets=frozenset(Key(server.namespace, ref.name) for ref in _secret_refs(spec)),
    )


def compile_redis(server: MCPServer, facts: Facts) -> CompiledRedis | None:
    """Resolve `spec.redis`; None if there is none, or if your own server uses it (mode Direct).

    Args:
        server: The server.
        facts: The objects that the server itself refers to.
    """
    spec = server.spec.redis
    if spec is None or server.spec.effective_mode == "Direct":
        return None
    referrer = Referrer("MCPServer", server.namespace, facts)
    service = redis_service(server)
    tls, sentinel = spec.tls or specs.RedisTls(), spec.sentinel
    redis = Redis(
        host=service_host(service) if service else spec.host,
        port=spec.port,
        keys=f"{spec.key_prefix or ''}{{mcp:{server.namespace}/{server.name}}}:",
        db=spec.db or 0,
        username=_key(spec.username_secret_ref, server),
        password=_key(spec.password_secret_ref, server),
        tls=spec.tls is not None,
        ca=_key(tls.ca_secret_ref, server),
        server_name=tls.server_name or "",
        insecure_skip_verify=tls.insecure_skip_verify,
        master_name=sentinel.master_name if sentinel else "",
        sentinel_username=_key(sentinel.username_secret_ref, server) if sentinel else None,
        sentinel_password=_key(sentinel.password_secret_ref, server) if sentinel else None,
        failure_mode=spec.failure_mode or "Open",
    )
    try:
        if service is not None:
            kind, namespace = referrer.kind, referrer.namespace
            service_port(facts, service, spec.port, kind=kind, namespace=namespace)
        for ref in _secret_refs(spec):
            referrer.secret(ref.name, ref.key)
    except UnresolvedError as error:
        return CompiledRedis(redis, error.finding)  # the gateway tries again on its own
    return CompiledRedis(redis)


def redis_secrets(redis: Redis | None) -> set[str]:
    """Return the names of the Secrets that a gateway must read to connect to Redis."""
    if redis is None:
        return set()
    found = (
        *(redis.username, redis.password, redis.ca),
        *(redis.sentinel_username, redis.sentinel_password),
    )
    return {key.name for key in found if key is not None}


def _secret_refs(spec: specs.Redis) -> list[SecretKeyRef]:
    found = [spec.username_secret_ref, spec.password_secret_ref]
    if spec.tls:
        found.append(spec.tls.ca_secret_ref)
    if spec.sentinel:
        found += [spec.sentinel.username_secret_ref, spec.sentinel.password_secret_ref]
    return [ref for ref in found if ref is not None]


def _key(ref: SecretKeyRef | None, server: MCPServer) -> SecretKey | None:
    return SecretKey(namespace=server.namespace, name=ref.name, key=ref.key) if ref else None

"""`spec.redis` becomes a part of the catalog of a gateway."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import Redis, SecretKey
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.assembly import Assembly
from mcp_operator.builders.catalog import build_catalog
from mcp_operator.builders.children import build_children
from mcp_operator.builders.cluster_facts import called_by, gather_cluster_facts
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.references import Facts
from mcp_operator.builders.server_catalog import build_server_catalog
from mcp_operator.builders.server_references import server_references
from mcp_operator.core.meta import Key, Object
from support.servers import server

REDIS, SECRET = Key("demo", "redis"), Key("demo", "login")
SERVICE: Object = {
    "metadata": {"name": "redis", "namespace": "demo"},
    "spec": {"ports": [{"port": 6379, "targetPort": 6380}], "selector": {"app": "redis"}},
}
THERE = Facts(
    services={REDIS: SERVICE}, secrets={SECRET: frozenset({"user", "word", "ca.crt", "other"})}
)
FULL: dict[str, Any] = {
    "serviceName": "redis",
    "db": 3,
    "keyPrefix": "shop:",
    "usernameSecretRef": {"name": "login", "key": "user"},
    "passwordSecretRef": {"name": "login", "key": "word"},
    "tls": {"caSecretRef": {"name": "login", "key": "ca.crt"}, "serverName": "redis.example.com"},
    "sentinel": {
        "masterName": "mymaster",
        "passwordSecretRef": {"name": "login", "key": "other"},
    },
    "failureMode": "Closed",
}


def owner(redis: dict[str, Any] | None = None, **spec: Any) -> MCPServer:
    return server(redis=redis or {"serviceName": "redis"}, **spec)


def assembled(of: MCPServer, facts: Facts = THERE) -> Assembly:
    return build_catalog(of, (), facts)


def redis_of(of: MCPServer) -> Redis | None:
    return assembled(of).catalog.server.redis


def key(name: str) -> SecretKey:
    return SecretKey(namespace="demo", name="login", key=name)


def test_all_fields_of_redis_reach_the_settings() -> None:
    found = assembled(owner(FULL))
    assert found.redis_finding is None
    assert found.catalog.server.redis == Redis(
        host="redis.demo.svc",
        port=6379,
        keys="shop:{mcp:demo/shop}:",
        db=3,
        username=key("user"),
        password=key("word"),
        tls=True,
        ca=key("ca.crt"),
        server_name="redis.example.com",
        master_name="mymaster",
        sentinel_password=key("other"),
        failure_mode="Closed",
    )


def test_redis_needs_only_a_service_name() -> None:
    expected = Redis(host="redis.demo.svc", port=6379, keys="{mcp:demo/shop}:")
    assert redis_of(owner()) == expected


@pytest.mark.parametrize("host", ["redis.example.com", "10.0.0.1"])
def test_a_redis_at_an_external_address_needs_no_service(host: str) -> None:
    found = assembled(owner({"address": host, "port": 6380}), facts=Facts())
    assert found.redis_finding is None
    assert found.catalog.server.redis == Redis(host=host, port=6380, keys="{mcp:demo/shop}:")


@pytest.mark.parametrize("spec", [{}, {"cache": {"storage": "Redis"}}, {"replicas": 3}])
def test_gateways_connect_without_a_limit_to_share_sessions_tasks_and_answers(
    spec: dict[str, Any],
) -> None:
    assert redis_of(owner(**spec)) is not None


def test_in_mode_direct_the_catalog_has_no_redis() -> None:
    direct = server(image="example/mcp:1", redis={"serviceName": "redis"})
    assert redis_of(direct) is None
    assert server_references(direct).secrets == frozenset()


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(secrets=THERE.secrets), Reason.SERVICE_NOT_FOUND),
        (Facts(services={REDIS: SERVICE}), Reason.SECRET_NOT_FOUND),
        (
            Facts(services={REDIS: SERVICE}, secrets={SECRET: frozenset({"user"})}),
            Reason.SECRET_NOT_FOUND,
        ),
        (
            Facts(services={REDIS: SERVICE}, denied=frozenset({SECRET})),
            Reason.REF_NOT_PERMITTED,
        ),
    ],
)
def test_a_missing_service_or_secret_of_redis_is_reported_and_kept_in_the_settings(
    facts: Facts, reason: Reason
) -> None:
    found = assembled(owner(FULL), facts=facts)
    assert found.redis_finding is not None
    assert found.redis_finding.reason is reason
    assert found.catalog.server.redis == redis_of(owner(FULL))


def test_a_redis_service_of_another_namespace_must_grant_access() -> None:
    address = {"address": "redis.infra.svc"}
    there = Key("infra", "redis")
    closed = {**SERVICE, "metadata": {"name": "redis", "namespace": "infra"}}
    annotations = {"mcp-operator.dev/allow-from": "demo"}
    opened = {**closed, "metadata": {**closed["metadata"], "annotations": annotations}}
    found = assembled(owner(address), facts=Facts(services={there: closed}))
    assert found.redis_finding is not None
    assert found.redis_finding.reason is Reason.REF_NOT_PERMITTED
    assert assembled(owner(address), facts=Facts(services={there: opened})).redis_finding is None
    assert server_references(owner(address)).services == {there}


def test_the_references_of_a_server_include_its_redis() -> None:
    references = server_references(owner(FULL))
    assert references.services == {REDIS}
    assert references.secrets == {SECRET}


def test_role_and_network_policy_allow_the_secrets_and_pods_of_redis() -> None:
    of = owner(FULL, networkPolicy={"mode": "Full"})
    catalog = build_server_catalog(of, (), THERE)
    facts = gather_cluster_facts(
        called_by(catalog.assembly.catalog), {REDIS: SERVICE}.get, has_gateway_api=True
    )
    children = {
        child.object["kind"]: child.object
        for child in build_children(of, catalog, BuildContext("gateway:1"), facts)
    }
    rules = children["Role"]["rules"]
    secrets = [each["resourceNames"] for each in rules if each["resources"] == ["secrets"]]
    assert "login" in secrets[0]
    pods = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "demo"}},
        "podSelector": {"matchLabels": {"app": "redis"}},
    }
    egress = children["NetworkPolicy"]["spec"]["egress"]
    assert {"to": [pods], "ports": [{"port": 6380, "protocol": "TCP"}]} in egress

"""The catalog source with a real API server and only the permissions of a gateway."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from mcp_operator.api.catalog import Catalog, SecretKey
from mcp_operator.api.shards import INDEX_KEY, encode
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.gateway.api_server import DISCOVERY, endpoints
from mcp_operator.gateway.source import (
    CONFIGMAPS,
    SECRETS,
    CatalogSource,
    ClusterSecrets,
    index_informer,
)
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.names import SystemResolver
from mcp_operator.gateway.upstream.secret_values import SecretUnavailable
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.informer import InformerSet
from support.controlplane import Cluster
from support.entries import catalog, tool
from support.kubeconfigs import write_account_kubeconfig
from support.waiting import eventually
from support.written_catalog import NAME, SHARD_BYTES, write_catalog

ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")


@dataclass
class Gateway:
    """A source that watches the index with the token of a restricted ServiceAccount."""

    client: Client
    current: Current
    source: CatalogSource
    secrets: ClusterSecrets

    async def serves(self, *names: str) -> None:
        await self.until(
            lambda: self.current.table is not None and set(self.current.table.tools) == set(names)
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async def holds() -> bool:
            return condition()

        await eventually(holds, expected=True)


def sharded_catalog(*names: str) -> Catalog:
    """Return tools whose descriptions do not compress, so that they need several shards."""
    text = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(200))
    return catalog(*(tool(name, description=f"{name} {text}") for name in names))


@pytest.fixture
async def gateway(
    control_plane: Cluster, client: Client, namespace: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    await allow_gateway(client, namespace)
    kubeconfig = tmp_path / "gateway.yaml"
    await write_account_kubeconfig(
        kubeconfig, client, control_plane.kubeconfig, namespace, "gateway"
    )
    restricted = await Client.connect(
        kubeconfig=kubeconfig,
        field_manager="gateway",
        user_agent="gateway-test",
        metrics=RuntimeMetrics(new_registry()),
    )
    informers, current, index = InformerSet(restricted), Current(), Key(namespace, NAME)
    source = CatalogSource(
        restricted,
        index_informer(informers, index),
        current,
        index=index,
        registry=CollectorRegistry(),
    )
    secrets = ClusterSecrets(restricted)
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(source.run())]
    async with AsyncExitStack() as stack:
        stack.push_async_callback(restricted.close)
        stack.push_async_callback(secrets.close)
        yield Gateway(restricted, current, source, secrets)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def allow_gateway(client: Client, namespace: str) -> None:
    meta = {"namespace": namespace, "name": "gateway"}
    await client.create(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    rules = [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "verbs": ["get", "list", "watch"],
            "resourceNames": [NAME, *(f"{NAME}-{number}" for number in range(1, 20))],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["api"]},
    ]
    role: Object = {"apiVersion": ROLES.api_version, "kind": "Role", "metadata": meta}
    await client.create(ROLES, role | {"rules": rules})
    await client.create(
        BINDINGS,
        {
            "apiVersion": BINDINGS.api_version,
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": ROLES.group, "kind": "Role", "name": "gateway"},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "gateway"}],
        },
    )


async def test_a_changed_catalog_is_served(
    client: Client, namespace: str, gateway: Gateway
) -> None:
    names = await write_catalog(client, namespace, sharded_catalog("a", "b"))
    assert len(names) > 1
    await gateway.serves("a", "b")
    await write_catalog(client, namespace, sharded_catalog("a", "b", "c"))
    await gateway.serves("a", "b", "c")
    await write_catalog(client, namespace, sharded_catalog("c"))
    await gateway.serves("c")
    await gateway.until(lambda: gateway.source.state == "")


async def test_a_broken_shard_keeps_the_last_good_catalog(
    client: Client, namespace: str, gateway: Gateway
) -> None:
    await write_catalog(client, namespace, sharded_catalog("a"))
    await gateway.serves("a")
    good = gateway.current.table

    await write_catalog(client, namespace, sharded_catalog("a", "b"))
    await gateway.serves("a", "b")
    served = gateway.current.table
    broken = encode(sharded_catalog("x", "y"), SHARD_BYTES).index.model_dump_json(by_alias=True)
    await client.merge_patch(CONFIGMAPS, Key(namespace, NAME), {"data": {INDEX_KEY: broken}})
    await gateway.until(lambda: gateway.source.state != "")
    assert gateway.current.table is served is not good

    await client.delete(CONFIGMAPS, Key(namespace, NAME))
    await gateway.until(lambda: "does not exist" in gateway.source.state)
    assert gateway.current.table is served

    await write_catalog(client, namespace, sharded_catalog("x", "y"))
    await gateway.serves("x", "y")


async def test_a_role_that_names_the_config_maps_is_sufficient(
    client: Client, namespace: str, gateway: Gateway
) -> None:
    await write_catalog(client, namespace, sharded_catalog("a", "b"))
    await gateway.serves("a", "b")
    with pytest.raises(ApiError) as caught:
        await anext(aiter(gateway.client.list_pages(CONFIGMAPS, namespace=namespace)))
    assert caught.value.is_forbidden
    with pytest.raises(ApiError) as caught:
        await gateway.client.get(CONFIGMAPS, Key(namespace, "kube-root-ca.crt"))
    assert caught.value.is_forbidden


async def test_only_the_secret_that_the_role_names_can_be_read(
    client: Client, namespace: str, gateway: Gateway
) -> None:
    for name in ("api", "other"):
        await client.create(
            SECRETS,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"namespace": namespace, "name": name},
                "stringData": {"token": f"value of {name}"},
            },
        )
    allowed = SecretKey(namespace=namespace, name="api", key="token")
    assert await gateway.secrets.value(allowed) == b"value of api"
    with pytest.raises(SecretUnavailable, match="forbidden"):
        await gateway.secrets.value(allowed.model_copy(update={"name": "other"}))


async def test_a_gateway_discovers_the_endpoint_of_the_api_server(
    gateway: Gateway, control_plane: Cluster
) -> None:
    listed = await gateway.client.request("GET", DISCOVERY)
    ((address, port),) = await endpoints(listed, SystemResolver())
    server = yaml.safe_load(control_plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    assert server["server"].endswith(f":{port}")
    socket.create_server((address, 0)).close()  # the address belongs to this machine

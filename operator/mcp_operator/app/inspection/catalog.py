"""`mcp-operator catalog`: the decoded catalog that the operator has written for one server."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import Index, ShardError, decode, index_of, shard_of
from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.app.inspection.connection import NOT_INSTALLED, connected, pod_page
from mcp_operator.app.inspection.report import PodAnswer, report
from mcp_operator.app.inspection.settings import CatalogSettings
from mcp_operator.builders.labels import selector_labels
from mcp_operator.builders.names import config_name
from mcp_operator.builders.resources import CONFIGMAPS, PODS
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, key_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError


async def run_catalog(settings: CatalogSettings) -> None:
    """Print the catalog of one server, and what each of its pods serves.

    Raises:
        OperatorError: The server or its catalog does not exist, or the user cannot read it.
    """
    async with connected(settings, "catalog") as client:
        key = Key(settings.namespace, settings.server)
        server = await _server(client, key)
        index, catalog = await read_catalog(client, key)
        if settings.output == "json":
            sys.stdout.write(f"{catalog.model_dump_json(by_alias=True, indent=2)}\n")
            return
        pods = await _pods(client, key)
        sys.stdout.writelines(f"{line}\n" for line in report(server, index.digest, catalog, pods))


async def _server(client: Client, key: Key) -> Object:
    try:
        return await client.get(MCPSERVERS, key)
    except ApiError as error:
        if error.is_not_found and error.reason != "NotFound":  # there is no such path
            raise OperatorError(NOT_INSTALLED) from error
        if error.is_not_found:
            raise OperatorError(
                f"there is no MCPServer {key}; choose the namespace with --namespace"
            ) from error
        raise


async def read_catalog(client: Client, key: Key) -> tuple[Index, Catalog]:
    """Read and verify the catalog of a server from its ConfigMaps.

    Raises:
        OperatorError: The operator has not written one, or it is damaged.
    """
    name = config_name(key.name)
    try:
        first = await client.get(CONFIGMAPS, Key(key.namespace, name))
    except ApiError as error:
        if error.is_not_found:
            raise OperatorError(
                f"MCPServer {key} has no catalog: the ConfigMap {name} does not exist. The "
                "conditions of the MCPServer say why; in mode Direct, there is none"
            ) from error
        raise
    try:
        index = index_of(first)
        others = [
            await client.get(CONFIGMAPS, Key(key.namespace, config_name(key.name, number)))
            for number in range(1, len(index.shards))
        ]
        return index, decode(index, [shard_of(each) for each in (first, *others)])
    except ShardError as error:
        raise OperatorError(
            f"the catalog in the ConfigMap {key.namespace}/{name} cannot be read: {error}"
        ) from error


async def _pods(client: Client, key: Key) -> list[PodAnswer]:
    labels = ",".join(f"{name}={value}" for name, value in selector_labels(key.name).items())
    options: dict[str, str] = {"labelSelector": labels}
    body = await client.request("GET", PODS.path(key.namespace), query=options)
    pods: list[Object] = json.loads(body)["items"]
    return list(await asyncio.gather(*(_ask(client, pod) for pod in pods)))


async def _ask(client: Client, pod: Object) -> PodAnswer:
    """Ask a pod through the API server. The user needs permission to get `pods/proxy`."""
    name = key_of(pod).name
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    try:
        answer: Any = json.loads(await client.request("GET", pod_page(pod, "catalog")))
        return PodAnswer(name, ready, digest=str(answer["digest"]))
    except ApiError as error:
        return PodAnswer(name, ready, problem=f"cannot be asked: {error}")
    except (ValueError, KeyError, TypeError):
        return PodAnswer(name, ready, problem="returned an answer without a catalog")

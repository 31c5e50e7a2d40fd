"""Installs the CustomResourceDefinitions in ``crds/``."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from pathlib import Path

import yaml

from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support.waiting import eventually, hang_guard

FOLDER = Path(__file__).parents[2] / "crds"

DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)


async def install_crds(client: Client) -> list[Object]:
    """Apply the CRDs and wait until the API server serves them; returns them.

    Raises:
        TimeoutError: a CRD is never served.
    """
    definitions = [
        document
        for path in sorted(FOLDER.glob("mcp*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    for definition in definitions:
        await client.apply(DEFINITIONS, definition)
    async with hang_guard():
        for definition in definitions:
            await established(client, definition["metadata"]["name"])
    return definitions


async def established(client: Client, name: str) -> None:
    """Wait until the API server serves the kind of a CRD, including watches."""
    events = client.watch(DEFINITIONS, field_selector=f"metadata.name={name}")
    async with contextlib.aclosing(events):
        async for event in events:  # starts with the current definition
            conditions = event.object.get("status", {}).get("conditions") or []
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                break
    await _can_be_watched(client, _resource_of(event.object))


def _resource_of(definition: Object) -> Resource:
    spec = definition["spec"]
    names, version = spec["names"], spec["versions"][0]["name"]
    return Resource(spec["group"], version, names["plural"], names["kind"])


async def _can_be_watched(client: Client, resource: Resource) -> None:
    """Wait until a kind supports streamed lists, once its storage is initialized."""

    async def is_listed() -> bool:
        events = client.watch(resource, send_initial_events=True)
        try:
            async with contextlib.aclosing(events):
                await anext(events)
        except ApiError as error:
            if error.status != HTTPStatus.TOO_MANY_REQUESTS:
                raise
            return False
        return True

    await eventually(is_listed, expected=True)

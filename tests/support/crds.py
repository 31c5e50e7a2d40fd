"""Installs the CustomResourceDefinitions that the repository holds in ``crds/``."""

from __future__ import annotations

import contextlib
from pathlib import Path

import yaml

from mcp_operator.core.meta import Object, Resource
from mcp_operator.runtime.client import Client
from support.waiting import hang_guard

FOLDER = Path(__file__).parents[2] / "crds"

DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)


async def install_crds(client: Client) -> list[Object]:
    """Apply the CRDs and wait until the API server serves their kinds; returns them.

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
    """Wait until the API server serves the kind of a CRD."""
    events = client.watch(DEFINITIONS, field_selector=f"metadata.name={name}")
    async with contextlib.aclosing(events):
        async for event in events:  # begins with the definition as it is
            conditions = event.object.get("status", {}).get("conditions") or []
            if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
                return

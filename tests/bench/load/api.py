"""A minimal API server for a gateway: one ConfigMap, and a watch of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from mcp_operator.api.catalog import Catalog
from mcp_operator.api.shards import encode
from mcp_operator.core.meta import Object
from support.published import INDEX, config_maps

_PATH = f"/api/v1/namespaces/{INDEX.namespace}/configmaps"


class Api:
    """Publishes catalogs that fit into one ConfigMap."""

    def __init__(self) -> None:
        application = web.Application()
        application.router.add_get(_PATH, self._configmaps)
        self._server = TestServer(application)
        self._version = 0
        self._object: Object = {}
        self._changed = asyncio.Event()

    async def start(self, kubeconfig: Path) -> None:
        """Listen, and write a kubeconfig for this server."""
        await self._server.start_server()
        url = str(self._server.make_url("")).rstrip("/")
        named = {"name": "load"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "load",
            "clusters": [named | {"cluster": {"server": url}}],
            "users": [named | {"user": {"token": "load"}}],
            "contexts": [named | {"context": {"cluster": "load", "user": "load"}}],
        }
        await asyncio.to_thread(kubeconfig.write_text, json.dumps(config), encoding="utf-8")

    async def stop(self) -> None:
        await self._server.close()

    def publish(self, catalog: Catalog) -> str:
        """Publish a catalog for the gateways; return its digest."""
        self._version += 1
        (self._object,) = config_maps(catalog).values()
        self._object |= {"apiVersion": "v1", "kind": "ConfigMap"}
        self._object["metadata"] |= {"resourceVersion": str(self._version), "uid": "load"}
        self._changed.set()
        self._changed = asyncio.Event()
        return encode(catalog).index.digest

    async def _configmaps(self, request: web.Request) -> web.StreamResponse:
        if "sendInitialEvents" in request.query:
            return web.Response(
                status=422
            )  # like a server without WatchList; the client then lists
        if "watch" in request.query:
            return await self._watch(request)
        version = {"resourceVersion": str(self._version)}
        return web.json_response(
            {
                "apiVersion": "v1",
                "kind": "ConfigMapList",
                "metadata": version,
                "items": [self._object],
            }
        )

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        seen = int(request.query["resourceVersion"])
        while True:
            changed = self._changed
            if self._version > seen:
                seen = self._version
                event = {"type": "MODIFIED", "object": self._object}
                await response.write(json.dumps(event).encode() + b"\n")
            else:
                await changed.wait()

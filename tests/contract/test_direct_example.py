"""The example server for mode Direct, as a process, with the official client."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp import Client
from mcp.client.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError

from mcp_operator.api.catalog import Backend, Catalog
from mcp_operator.api.prompts import PromptMedia, PromptMessage, PromptVariable
from mcp_operator.builders.direct import direct_files, with_digests
from mcp_operator.controllers.confirmations import Answer, AskError, Pod
from mcp_operator.controllers.pod_client import http_ask
from support.entries import backend, catalog, prompt, resource, tool
from support.network import free_port
from support.processes import ProcessGroup
from support.waiting import eventually, hang_guard

EXAMPLE = Path(__file__).parents[2] / "examples" / "direct" / "server.py"

ORDER = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}


class Mounted:
    """A folder whose files are replaced atomically, as the kubelet does for a ConfigMap."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = 0

    def write(self, files: Mapping[str, str]) -> None:
        """Replace the files."""
        self._versions += 1
        version = self.folder / f"..{self._versions}"
        version.mkdir(parents=True)
        for name, content in files.items():
            (version / name).write_text(content, encoding="utf-8")
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(Path("..data", name))
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")

    def mount(self, content: Catalog) -> str:
        """Write the files of a catalog; return its digest."""
        digest, files = with_digests(direct_files(content))
        self.write(files)
        return digest


@dataclass(frozen=True, slots=True)
class Running:
    """The running example, its mounted files, and a function that builds its backend."""

    mounted: Mounted
    port: int
    backend: Callable[..., Backend]

    @property
    def url(self) -> str:
        """The address for MCP clients."""
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def pod(self) -> Pod:
        """The pod whose catalog the operator would request."""
        return Pod("u", "pod", "127.0.0.1", self.port)

    async def answer(self, digest: str) -> Answer | None:
        """Request the catalog as the operator does; None if the server does not respond yet."""
        try:
            return await http_ask(self.pod, digest)
        except AskError:
            return None


async def echo(request: web.Request) -> web.Response:
    """Respond with the path, query and body of the request."""
    body = await request.json() if request.can_read_body else None
    received = {"path": request.rel_url.raw_path, "query": dict(request.query), "body": body}
    return web.json_response(received, status=int(request.query.get("status", "200")))


@pytest.fixture
async def running(processes: ProcessGroup, tmp_path: Path) -> AsyncIterator[Running]:
    """The example, without mounted files."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    mounted = Mounted(tmp_path / "config")
    mounted.folder.mkdir()
    port = free_port()
    env = {"MCP_CONFIG_DIR": str(mounted.folder), "PORT": str(port)}
    async with TestServer(app) as server:
        processes.start("example", [sys.executable, EXAMPLE], env=env)

        def to(path: str, **fields: Any) -> Backend:
            return backend(path, host="127.0.0.1", port=server.port, **fields)

        yield Running(mounted, port, to)


@asynccontextmanager
async def serving(running: Running, content: Catalog) -> AsyncIterator[Client]:
    digest = running.mounted.mount(content)
    async with hang_guard():
        await eventually(lambda: running.answer(digest), Answer(digest))
        async with Client(running.url) as client:
            yield client


async def test_tools_are_called_at_their_services(running: Running) -> None:
    output = {"type": "object"}
    shown = tool("show", running.backend("/orders/{id}"), input_schema=ORDER, output_schema=output)
    placed = tool("place", running.backend("/orders", method="POST"), description="Orders.")
    async with serving(running, catalog(shown, placed)) as client:
        listed = (await client.list_tools()).tools
        assert {(one.name, one.description) for one in listed} == {
            ("show", None),
            ("place", "Orders."),
        }
        answer = await client.call_tool("show", {"id": "a/b", "page": 2})
        assert answer.structured_content == {
            "path": "/orders/a%2Fb",
            "query": {"page": "2"},
            "body": None,
        }
        answer = await client.call_tool("place", {"sku": "mug"})
        assert '"body": {"sku": "mug"}' in str(answer.content)


async def test_an_invalid_or_failed_call_is_an_error_for_the_model(running: Running) -> None:
    shown = tool("show", running.backend("/orders/{id}"), input_schema=ORDER)
    async with serving(running, catalog(shown)) as client:
        for arguments in ({}, {"id": ".."}, {"id": "1", "status": 404}):
            assert (await client.call_tool("show", arguments)).is_error, arguments
        with pytest.raises(MCPError, match="there is no tool other"):
            await client.call_tool("other", {})


async def test_prompts_and_resources_are_served_from_the_files(running: Running) -> None:
    variables = (PromptVariable(name="what"), PromptVariable(name="how", default="briefly"))
    ask = prompt("Describe {{what}} {{how}}.", name="ask", variables=variables)
    media = PromptMedia(mime_type="image/png", data="AAAA")
    pictures = (PromptMessage(image=media), PromptMessage(resource_uri="docs://returns"))
    look = prompt(name="look", messages=pictures)
    page = resource("returns", uri="docs://returns", text="# Returns", mime_type="text/markdown")
    async with serving(running, catalog(ask, look, page)) as client:
        got = await client.get_prompt("ask", {"what": "a mug"})
        assert "Describe a mug briefly." in str(got.messages)
        [picture] = (await client.get_prompt("look")).messages
        assert picture.content.type == "image"
        [listed] = (await client.list_resources()).resources
        assert str(listed.uri) == "docs://returns"
        assert "# Returns" in str((await client.read_resource("docs://returns")).contents)


async def test_new_files_are_served_and_reported_and_clients_are_notified(running: Running) -> None:
    async with (
        serving(running, catalog(tool("old", running.backend("/old")))) as client,
        client.listen(tools_list_changed=True) as events,
    ):
        digest = running.mounted.mount(catalog(tool("new", running.backend("/new"))))
        assert await http_ask(running.pod, digest) == Answer(digest)
        assert isinstance(await anext(aiter(events)), ToolsListChanged)
        assert [one.name for one in (await client.list_tools()).tools] == ["new"]


async def test_files_of_different_versions_keep_the_last_good_catalog(running: Running) -> None:
    content = catalog(tool("old", running.backend("/old")))
    async with serving(running, content) as client:
        digest, files = with_digests(direct_files(catalog()))
        _, old = with_digests(direct_files(content))
        running.mounted.write(files | {"tools.json": old["tools.json"]})
        assert (await http_ask(running.pod, digest)).digest == with_digests(old_only(old))[0]
        assert [one.name for one in (await client.list_tools()).tools] == ["old"]
        running.mounted.write(files)
        assert await http_ask(running.pod, digest) == Answer(digest)


async def test_a_pod_without_files_is_not_ready_and_reports_an_empty_digest(
    running: Running,
) -> None:
    async with hang_guard():
        await eventually(lambda: running.answer(""), Answer(""))
        ready = f"http://127.0.0.1:{running.port}/readyz"
        async with aiohttp.ClientSession() as session, session.get(ready) as response:
            assert response.status == 503


def old_only(files: Mapping[str, str]) -> dict[str, str]:
    """Return files without the one with their digests."""
    return {name: content for name, content in files.items() if name != "catalog.json"}

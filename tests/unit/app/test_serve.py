"""`serve` as a whole, with files, in this process and over loopback."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mcp_operator.app.serve import LocalGateway, PortError, read, run_serve
from mcp_operator.builders.compiled import Compiled
from mcp_operator.controllers.catalog_object_status import object_conditions
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.gateway.table import Changes
from mcp_operator.local.manifests import NothingFoundError
from mcp_operator.local.problems import FilesError
from mcp_operator.local.reload import fingerprint
from support.hostile_yaml import HOSTILE
from support.network import free_port
from support.serving import serving, settings, write

SERVER = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: shop}
spec: {toolSelector: {}}
"""

TOOL = """\
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: greet}
spec:
  name: greet
  description: First.
  service: {name: greeter, port: 80, path: /greet}
  request:
    headers:
      - {name: X-Token, valueFrom: {secretKeyRef: {name: greeter, key: token}}}
"""

CREDENTIAL = """\
---
apiVersion: v1
kind: Secret
metadata: {name: greeter}
stringData: {token: from-a-file}
"""

SERVICE = """\
---
apiVersion: v1
kind: Service
metadata:
  name: greeter
  annotations: {mcp-operator.dev/local-address: "%s"}
spec: {ports: [{port: 80}]}
"""

PROMPT = """\
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPPrompt
metadata: {name: review}
spec: {name: review, template: "Review {{diff}}"}
"""


@asynccontextmanager
async def backend() -> AsyncIterator[str]:
    """Answers with the token of the request, reversed because a gateway redacts it otherwise."""

    async def greet(request: web.BaseRequest) -> web.Response:
        return web.Response(text=request.headers["X-Token"][::-1])

    runner = web.ServerRunner(web.Server(greet))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def call(url: str, method: str, **params: Any) -> Any:
    """Send a request as a client of the 2026-07-28 revision."""
    revision = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}
    headers = {"MCP-Protocol-Version": revision, "Mcp-Method": method}
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=message, headers=headers) as response,
    ):
        return (await response.json())["result"]


async def test_a_tool_is_called_at_the_address_of_the_services_flag(tmp_path: Path) -> None:
    write(tmp_path, SERVER, TOOL, CREDENTIAL)
    async with backend() as address:
        chosen = settings(tmp_path, port=free_port(), services=f"greeter={address}")
        async with serving(chosen) as url:
            result = await call(url, "tools/call", name="greet", arguments={})

    assert result["content"] == [{"type": "text", "text": "from-a-file"[::-1]}]


async def test_a_tool_is_called_at_the_address_in_the_annotation_of_its_service(
    tmp_path: Path,
) -> None:
    async with backend() as address:
        write(tmp_path, SERVER, TOOL, CREDENTIAL, SERVICE % address)
        async with serving(settings(tmp_path, port=free_port())) as url:
            result = await call(url, "tools/call", name="greet", arguments={})

    assert result["content"] == [{"type": "text", "text": "from-a-file"[::-1]}]


async def test_a_secret_in_the_environment_takes_precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_OPERATOR_SECRET_DEFAULT_GREETER_TOKEN", "from-the-environment")
    write(tmp_path, SERVER, TOOL, CREDENTIAL)
    async with backend() as address:
        chosen = settings(tmp_path, port=free_port(), services=f"greeter={address}")
        async with serving(chosen) as url:
            result = await call(url, "tools/call", name="greet", arguments={})

    assert result["content"][0]["text"] == "from-the-environment"[::-1]


async def test_a_changed_file_is_served_without_a_restart(tmp_path: Path) -> None:
    write(tmp_path, SERVER, TOOL)
    async with following(tmp_path) as local:
        swapped = next_swap(local)
        write(tmp_path, SERVER, TOOL.replace("First.", "Second."), CREDENTIAL)
        changes = await swapped

    assert changes.tools
    assert local.current.table is not None
    assert local.current.table.tools["greet"].description == "Second."


async def test_the_last_valid_state_is_served_until_a_broken_file_is_fixed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, SERVER, TOOL)
    async with following(tmp_path) as local:
        complained = next_record(caplog)
        write(tmp_path, SERVER, TOOL, "---\nkind: [\n")
        await complained
        assert local.current.generation == 1
        assert "shop.yaml:18: is not valid YAML" in caplog.records[-1].__dict__["error"]

        swapped = next_swap(local)
        write(tmp_path, SERVER)
        assert (await swapped).tools

    assert local.current.table is not None
    assert not local.current.table.tools


async def gateway(folder: Path) -> LocalGateway:
    chosen = settings(folder)
    return LocalGateway(chosen, await asyncio.to_thread(read, chosen), {})


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[LocalGateway]:
    """Run a gateway that watches its files and does not listen."""
    seen = await asyncio.to_thread(fingerprint, [folder])
    local = await gateway(folder)
    task = asyncio.create_task(local.follow(seen))
    yield local
    task.cancel()
    await asyncio.wait({task})


def next_swap(local: LocalGateway) -> asyncio.Future[Changes]:
    swapped: asyncio.Future[Changes] = asyncio.get_running_loop().create_future()

    def swap(changes: Changes) -> None:
        if not swapped.done():
            swapped.set_result(changes)

    local.current.subscribe(swap)
    return swapped


def next_record(caplog: pytest.LogCaptureFixture) -> asyncio.Future[None]:
    logged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(_: logging.LogRecord) -> bool:
        if not logged.done():
            logged.set_result(None)
        return True

    caplog.handler.addFilter(note)
    return logged


async def test_an_object_that_is_not_served_is_logged_with_its_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, SERVER, PROMPT)
    local = await gateway(tmp_path)

    (record,) = caplog.records
    assert record.message == "An object is not served, or only in part"
    assert record.__dict__["reason"] == "UndeclaredVariable"
    assert local.current.table is not None
    assert not local.current.table.prompts


async def test_a_warning_is_logged_for_a_service_without_an_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, SERVER, TOOL)
    await gateway(tmp_path)

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.__dict__["service"] == "default/greeter:80"


async def test_the_objects_that_a_server_selects_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write(tmp_path, SERVER, TOOL, TOOL.replace("greet", "wave"))
    local = await gateway(tmp_path)
    local.serve(await asyncio.to_thread(read, settings(tmp_path)))

    (record,) = [one for one in caplog.records if "selects" in one.message]
    assert record.message == "An MCPServer selects these objects"
    assert record.__dict__["server"] == "default/shop"
    assert record.__dict__["MCPTool"] == "greet, wave"


async def test_a_selector_that_matches_nothing_is_logged_for_the_server_and_each_object(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, SERVER.replace("{}", "{matchLabels: {team: shop}}"), TOOL)
    await gateway(tmp_path)

    of_server, of_tool = caplog.records
    assert of_server.levelno == logging.WARNING
    assert of_server.message.startswith("An MCPServer selects nothing: compare")
    assert of_server.__dict__["server"] == "default/shop"
    assert of_tool.__dict__["kind"] == "MCPTool"
    assert of_tool.__dict__["reason"] == "NotSelected"
    assert of_tool.__dict__["error"] == in_a_cluster()


def in_a_cluster() -> str:
    """Return what the status of a tool says that no server selects."""
    tool = Compiled("MCPTool", Key("default", "greet"), "")
    (condition,) = [one for one in object_conditions(tool, []) if one.type == "Programmed"]
    return condition.message


async def test_the_error_about_a_refused_connection_names_the_address(
    tmp_path: Path,
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    write(tmp_path, SERVER, TOOL, CREDENTIAL, SERVICE % nobody)
    async with serving(settings(tmp_path, port=free_port())) as url:
        result = await call(url, "tools/call", name="greet", arguments={})

    assert result["isError"]
    (content,) = result["content"]
    assert (
        content["text"]
        == f"The backend refuses connections or cannot be reached; {nobody} was tried."
    )


async def test_the_demo_backend_answers_for_the_service_of_the_samples(tmp_path: Path) -> None:
    tool = TOOL.partition("  request:")[0].replace("greeter", "shop-backend")
    write(tmp_path, SERVER, tool.replace("/greet", "/report") + "  method: GET\n")
    async with serving(settings(tmp_path, port=free_port(), demo_backend=True)) as url:
        result = await call(url, "tools/call", name="greet", arguments={})

    assert "Open orders: 0" in result["content"][0]["text"]


async def test_invalid_files_at_the_start_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, SERVER, TOOL.replace("port: 80", "port: 0"))

    with pytest.raises(FilesError, match=r"shop.yaml:12:spec.service.port: "):
        await run_serve(settings(tmp_path, port=free_port()))


@pytest.mark.parametrize("content", [case for case, _ in HOSTILE.values()], ids=HOSTILE)
def test_a_hostile_file_is_an_error(content: str | bytes, tmp_path: Path) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "hostile.yaml").write_bytes(data)
    with pytest.raises(OperatorError):
        read(settings(tmp_path))


async def test_a_folder_without_objects_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NothingFoundError, match=r"no object of mcp-operator.dev in .*: looked for"):
        await run_serve(settings(tmp_path, port=free_port()))


async def test_files_without_an_mcpserver_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no MCPServer in the files"):
        await run_serve(settings(write(tmp_path, TOOL), port=free_port()))


async def test_the_error_about_a_port_in_use_names_the_port_flag(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortError, match=rf"cannot listen on 127.0.0.1:{port}: .* --port"):
            await run_serve(settings(write(tmp_path, SERVER), port=port))

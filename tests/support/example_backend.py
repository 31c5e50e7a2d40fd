"""The example backends of `examples/backend`, and a gateway for one of them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import yaml
from prometheus_client import CollectorRegistry

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.api.validation import problems
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.client import HttpUpstream
from mcp_operator.gateway.upstream.secret_values import StaticSecrets
from support.compiled import facts
from support.mcp_http import table
from support.waiting import hang_guard

EXAMPLE = Path(__file__).parents[2] / "examples" / "backend"
Language = Literal["python", "go"]


def example_tools() -> tuple[ToolEntry, ...]:
    """Return the tools of the example's manifests, with the Service of the tests."""
    documents = list(yaml.safe_load_all((EXAMPLE / "server.yaml").read_text(encoding="utf-8")))
    assert [problems(document) for document in documents] == [[], []]
    declared = documents[1]
    declared["metadata"] |= {"namespace": "demo", "uid": "u", "generation": 1}
    declared["spec"]["service"]["port"] = 80
    compiled = compile_tool(MCPTool.model_validate(declared), facts())
    assert compiled.findings == ()
    return tuple(entry for entry in compiled.entries if isinstance(entry, ToolEntry))


async def build_go(folder: Path) -> str:
    """Return the program of the Go example, or an empty string without Go."""
    go = shutil.which("go")
    if go is None:
        return ""
    target = folder / "orders"
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
    for arguments in (("vet", "."), ("build", "-o", target, ".")):
        process = await asyncio.create_subprocess_exec(
            go, *arguments, cwd=EXAMPLE / "go", env=environment
        )
        assert await process.wait() == 0
    return str(target)


@asynccontextmanager
async def example_backend(go: str = "") -> AsyncIterator[HttpUpstream]:
    """Run the given program or the one in Python; yield an upstream that reaches it."""
    program = [go] if go else [sys.executable, str(EXAMPLE / "python" / "orders.py")]
    process = await asyncio.create_subprocess_exec(*program, "0", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with hang_guard():
            line = await process.stdout.readline()
        port = re.fullmatch(rb"listening on port (\d+)\n", line)
        assert port, line
        services = {"demo/orders:80": f"127.0.0.1:{int(port[1])}"}
        async with HttpUpstream(services, user_agent="t") as upstream:
            yield upstream
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def serving_example() -> AsyncIterator[str]:
    """Run a gateway for the backend in Python; yield its URL."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(example_backend())
        current = Current()
        current.swap(table(*example_tools()))
        app = GatewayApp(
            current,
            HttpExecutor(current, upstream, StaticSecrets()),
            address=GatewayAddress(port=0, management_port=0),
            registry=CollectorRegistry(),
        )
        await app.start()
        stack.push_async_callback(app.stop)
        yield f"http://localhost:{app.port}/mcp"

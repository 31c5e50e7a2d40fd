"""The example backends, in Python and in Go, behind the manifests that come with them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from mcp_operator.api.catalog import JsonObject, ToolEntry
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.api.validation import problems
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.gateway.contract import Call, ClientInput, InputRequired, Job, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.client import HttpUpstream
from support.compiled import facts
from support.entries import catalog
from support.fake_upstream import FakeSecrets
from support.heard import Heard
from support.waiting import hang_guard

EXAMPLE = Path(__file__).parents[2] / "examples" / "backend"


async def built(folder: Path) -> Path:
    """Return the program of the Go example."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    target = folder / "orders"
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0"}
    for arguments in (("vet", "."), ("build", "-o", target, ".")):
        process = await asyncio.create_subprocess_exec(
            go, *arguments, cwd=EXAMPLE / "go", env=environment
        )
        assert await process.wait() == 0
    return target


@pytest.fixture(scope="module", params=["python", "go"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if request.param == "go":
        return [str(asyncio.run(built(tmp_path_factory.mktemp("go"))))]
    return [sys.executable, str(EXAMPLE / "python" / "orders.py")]


@asynccontextmanager
async def listening(program: list[str]) -> AsyncIterator[int]:
    """Run a backend, and give its port."""
    process = await asyncio.create_subprocess_exec(*program, "0", stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with hang_guard():
            line = await process.stdout.readline()
        port = re.fullmatch(rb"listening on port (\d+)\n", line)
        assert port, line
        yield int(port[1])
    finally:
        process.kill()
        await process.wait()


class Orders:
    """The tools of the example, before a running backend."""

    def __init__(self, upstream: HttpUpstream) -> None:
        documents = list(yaml.safe_load_all((EXAMPLE / "server.yaml").read_text(encoding="utf-8")))
        assert [problems(document) for document in documents] == [[], []]
        declared = documents[1]
        declared["metadata"] |= {"namespace": "demo", "uid": "u", "generation": 1}
        declared["spec"]["service"]["port"] = 80  # of the Service that tests know
        compiled = compile_tool(MCPTool.model_validate(declared), facts())
        assert compiled.findings == ()
        current = Current()
        current.swap(Table(catalog(*compiled.entries), "d"))
        self._tools = {one.name: one for one in compiled.entries if isinstance(one, ToolEntry)}
        self._executor = HttpExecutor(current, upstream, FakeSecrets())

    async def call(self, name: str, call: Call, **arguments: str) -> ToolResult | InputRequired:
        result = await self._executor.call_tool(self._tools[name], arguments, call)
        assert not isinstance(result, Job)
        return result


@pytest.fixture
async def orders(program: list[str]) -> AsyncIterator[Orders]:
    async with (
        listening(program) as port,
        HttpUpstream({"demo/orders:80": f"127.0.0.1:{port}"}, user_agent="t") as upstream,
    ):
        yield Orders(upstream)


async def test_an_export_tells_how_far_it_is_and_gives_a_link(orders: Orders) -> None:
    heard = Heard()

    result = await orders.call("export_orders", Call(listener=heard))

    assert isinstance(result, ToolResult)
    assert [block["type"] for block in result.content] == ["text", "resource_link"]
    assert (result.is_error, result.structured) == (False, {"exported": 3})
    assert heard.progresses == [(0, 3, "o-1"), (1, 3, "o-2"), (2, 3, "o-3")]
    assert [data for _, data, _ in heard.logs] == [b'"reading o-%d"' % n for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"action": "accept", "content": {"sure": True}}, "Order o-1 is cancelled."),
        ({"action": "accept", "content": {"sure": False}}, "Nothing was cancelled."),
        ({"action": "decline"}, "Nothing was cancelled."),
    ],
)
async def test_an_order_is_cancelled_when_the_user_has_confirmed_it(
    orders: Orders, answer: object, said: str
) -> None:
    able: JsonObject = {"elicitation": {}}

    asked = await orders.call("cancel_order", Call(capabilities=able), id="o-1")
    assert isinstance(asked, InputRequired)
    assert asked.requests["sure"]["method"] == "elicitation/create"
    assert asked.requests["sure"]["params"]["message"] == "Cancel order o-1?"

    again = Call(capabilities=able, input=ClientInput({"sure": answer}, asked.state))
    result = await orders.call("cancel_order", again, id="o-1")
    assert isinstance(result, ToolResult)
    assert result.content[0]["text"] == said


async def test_what_was_confirmed_holds_for_no_other_order(orders: Orders) -> None:
    yes = {"sure": {"action": "accept", "content": {"sure": True}}}
    call = Call(capabilities={"elicitation": {}}, input=ClientInput(yes, "cancel o-1"))

    assert isinstance(await orders.call("cancel_order", call, id="o-2"), InputRequired)


async def test_who_cannot_be_asked_is_told(orders: Orders) -> None:
    result = await orders.call("cancel_order", Call(), id="o-1")

    assert isinstance(result, ToolResult)
    assert result.is_error

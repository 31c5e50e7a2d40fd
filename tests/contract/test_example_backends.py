"""The example backends, in Python and in Go, with the tools of their manifests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Call, ClientInput, InputRequired, Job, ToolResult
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.client import HttpUpstream
from support.entries import catalog
from support.example_backend import build_go, example_backend, example_tools
from support.fake_upstream import FakeSecrets
from support.recording_listener import RecordingListener


@pytest.fixture(scope="module", params=["python", "go"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "python":
        return ""
    return asyncio.run(build_go(tmp_path_factory.mktemp("go"))) or pytest.skip("there is no Go")


class Orders:
    """The tools of the example, with a running backend."""

    def __init__(self, upstream: HttpUpstream) -> None:
        self._tools = {one.name: one for one in example_tools()}
        current = Current()
        current.swap(Table(catalog(*self._tools.values()), "d"))
        self._executor = HttpExecutor(current, upstream, FakeSecrets())

    async def call(self, name: str, call: Call, **arguments: str) -> ToolResult | InputRequired:
        found = await self._executor.call_tool(self._tools[name], arguments, call)
        assert not isinstance(found, Job)
        return found


@pytest.fixture
async def orders(program: str) -> AsyncIterator[Orders]:
    async with example_backend(program) as upstream:
        yield Orders(upstream)


async def test_an_export_reports_progress_and_returns_a_link(orders: Orders) -> None:
    listener = RecordingListener()

    result = await orders.call("export_orders", Call(listener=listener))

    assert isinstance(result, ToolResult)
    assert [block["type"] for block in result.content] == ["text", "resource_link"]
    assert (result.is_error, result.structured) == (False, {"exported": 3})
    assert listener.progresses == [(0, 3, "o-1"), (1, 3, "o-2"), (2, 3, "o-3")]
    assert [data for _, data, _ in listener.logs] == [b'"reading o-%d"' % n for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"action": "accept", "content": {"sure": True}}, "Order o-1 is cancelled."),
        ({"action": "accept", "content": {"sure": False}}, "Nothing was cancelled."),
        ({"action": "decline"}, "Nothing was cancelled."),
    ],
)
async def test_an_order_is_cancelled_only_if_the_user_confirms_it(
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


async def test_a_confirmation_is_not_valid_for_another_order(orders: Orders) -> None:
    yes = {"sure": {"action": "accept", "content": {"sure": True}}}
    call = Call(capabilities={"elicitation": {}}, input=ClientInput(yes, "cancel o-1"))

    assert isinstance(await orders.call("cancel_order", call, id="o-2"), InputRequired)


async def test_a_client_without_elicitation_gets_an_error(orders: Orders) -> None:
    result = await orders.call("cancel_order", Call(), id="o-1")

    assert isinstance(result, ToolResult)
    assert result.is_error

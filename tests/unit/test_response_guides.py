"""A gateway turns the answers in the guide into the results that the guide shows."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from mcp_operator.api.v1alpha1.response import ToolResponse
from mcp_operator.api.validation import problems
from mcp_operator.builders.compile_tool import compile_tool
from mcp_operator.gateway.contract import Call
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.client import HttpUpstream
from support.compiled import facts, tool
from support.entries import catalog
from support.fake_upstream import FakeSecrets
from support.manifests import tools as declared
from support.results import completed

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "expose-a-rest-api.md"
ENTRY = {"name": "read", "path": "/", "method": "GET"}


def examples() -> list[tuple[Any, str]]:
    """Return each `response` of the page, with the answer of the backend and the result."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"```yaml\n(response:\n.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    return [(yaml.safe_load(block), shown) for block, shown in found]


def answering(shown: str) -> Listener:
    """Serve the answer that is above the arrow."""
    head, _, body = shown.partition("\n→\n")[0].partition("\n\n")
    status, *headers = head.splitlines()
    body = body.rstrip() + ("\n\n" if "event-stream" in head else "")

    async def answer(_: web.BaseRequest) -> web.Response:
        named = dict(header.split(": ", 1) for header in headers)
        return web.Response(status=int(status), headers=named, body=body.encode())

    return Listener(answer)


async def read_of(table: Table, shown: str) -> str:
    """Call the tool at a backend that answers as shown, and return what a model reads."""
    called, current = table.tools["read"], Current()
    current.swap(table)
    backend = answering(shown)
    await backend.start("127.0.0.1", 0)
    try:
        name, namespace, _ = called.backend.host.rstrip(".").split(".", 2)
        services = {f"{namespace}/{name}:{called.backend.port}": f"127.0.0.1:{backend.port}"}
        async with HttpUpstream(services, user_agent="t") as upstream:
            executor = HttpExecutor(current, upstream, FakeSecrets())
            result = await completed(executor.call_tool(called, {}, Call()))
    finally:
        await backend.stop(0)
    return "\n".join(block["text"] for block in result.content)


@pytest.mark.parametrize(
    ("entry", "shown"), [pytest.param(*one, id="-".join(one[0]["response"])) for one in examples()]
)
def test_a_model_reads_the_result_that_the_guide_shows(entry: dict[str, Any], shown: str) -> None:
    written = {**ENTRY, **entry}
    assert problems(declared(written)) == []
    compiled = compile_tool(tool(tools=[written]), facts())
    assert compiled.findings == ()
    read = asyncio.run(read_of(Table(catalog(*compiled.entries), "d"), shown))
    assert read.rstrip() == shown.partition("→\n")[2].rstrip()


def test_the_guide_has_an_example_of_every_field() -> None:
    shown = {field for entry, _ in examples() for field in entry["response"]}
    fields = {field.alias for field in ToolResponse.model_fields.values()}
    assert shown == fields

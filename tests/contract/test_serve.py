"""The samples without a cluster, started with one command, and the official client."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from mcp import Client

from support.processes import ProcessGroup
from support.served_samples import MODULE, reachable, start
from support.waiting import HANG_SECONDS, hang_guard

SCRIPT = [str(Path(sys.executable).with_name("mcp-operator"))]


@pytest.mark.parametrize("command", [MODULE, SCRIPT], ids=["module", "script"])
async def test_a_tool_can_be_called_with_both_ways_to_start_the_command(
    processes: ProcessGroup, command: Sequence[str]
) -> None:
    url, _ = start(processes, command)
    async with hang_guard():
        await reachable(url)
        async with Client(url) as client:
            result = await client.call_tool("search-products", {"text": "teapot"})
    assert result.structured_content is not None, processes.logs()
    assert result.structured_content["total"] == 1


async def test_every_kind_of_entry_of_the_samples_works(processes: ProcessGroup) -> None:
    url, _ = start(processes)
    async with hang_guard():
        await reachable(url)
        async with Client(url) as client:
            order = await client.call_tool("place-order", {"sku": "mug-red", "quantity": 2})
            assert order.structured_content is not None
            order_id = order.structured_content["id"]

            too_many = await client.call_tool("place-order", {"sku": "teapot", "quantity": 99})
            assert too_many.is_error
            assert "only 5 of teapot are left" in str(too_many.content)

            picture = await client.call_tool("product-picture", {"sku": "teapot"})
            assert picture.content[0].type == "image"

            prompt = await client.get_prompt("describe-product", {"sku": "teapot"})
            assert "a plain description of the product teapot" in str(prompt.messages)

            complaint = {"order": str(order_id), "complaint": "It broke."}
            answer = await client.get_prompt("answer-complaint", complaint)
            assert "# Returns" in str(answer.messages)

            for uri, expected in (
                ("shop://policies/returns", "# Returns"),
                ("shop://report", "Open orders: 1"),
                (f"shop://orders/{order_id}", '"status": "open"'),
            ):
                assert expected in str((await client.read_resource(uri)).contents)


def test_ctrl_c_stops_the_command_without_a_traceback(processes: ProcessGroup) -> None:
    url, child = start(processes)
    asyncio.run(reachable(url))

    child.process.send_signal(signal.SIGINT)
    assert child.process.wait(HANG_SECONDS) == 0
    assert "Traceback" not in child.tail()
    assert "The gateway has stopped" in child.tail()

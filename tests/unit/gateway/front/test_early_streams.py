"""Event streams that start before the call has ended, over loopback sockets."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import Call, ToolResult
from mcp_operator.gateway.protocol import channel, patience
from support.fake_executor import text_result
from support.mcp_http import META, legacy, modern
from support.running_gateway import Running, frame_of, running
from support.waiting import eventually, hang_guard

CALLED: JsonObject = {"name": "add", "_meta": META | {"progressToken": 1}}


class Backend:
    """Reports progress, and ends when the test lets it."""

    def __init__(self, gateway: Running) -> None:
        self.may_end = asyncio.Event()
        self.ended = asyncio.Event()
        gateway.executor.results["add"] = self.work

    async def work(self, call: Call) -> ToolResult:
        call.listener.progress(1)
        try:
            await self.may_end.wait()
        finally:
            self.ended.set()
        return text_result("done")


async def test_progress_arrives_while_the_call_runs() -> None:
    async with running() as gateway:
        backend = Backend(gateway)
        async with gateway.send(modern("tools/call", CALLED)) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            assert (await frame_of(answer))["params"] == {"progressToken": 1, "progress": 1}
            assert not backend.ended.is_set()
            backend.may_end.set()
            assert (await frame_of(answer))["result"]["content"][0]["text"] == "done"
            assert await answer.content.read() == b""
        async with gateway.send(modern("tools/list")) as answer:  # on the same connection
            assert answer.status == 200
        assert gateway.app._front.connections == 1


async def test_a_long_call_sends_keep_alive_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(channel, "KEEP_ALIVE_SECONDS", 0.01)
    async with running() as gateway:
        gateway.executor.gate.clear()
        async with gateway.send(modern("tools/call", {"name": "add"})) as answer:
            for _ in range(3):
                assert await answer.content.readuntil(b"\n\n") == b": keep-alive\n\n"
            gateway.executor.gate.set()
            rest = await answer.content.read()
        assert b'"isError"' not in rest
        assert rest.endswith(b"\n\n")


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_disconnecting_during_a_stream_cancels_the_call_only_in_the_modern_era(
    era: str,
) -> None:
    async with running() as gateway:
        backend = Backend(gateway)
        request = modern("tools/call", CALLED)
        if era == "legacy":
            opened = legacy("initialize", {"protocolVersion": "2025-11-25"})
            async with gateway.send(opened) as answer:
                session = answer.headers["mcp-session-id"]
            called = {"name": "add", "_meta": {"progressToken": 1}}
            request = legacy("tools/call", called, mcp_session_id=session)
        async with gateway.send(request) as answer:
            await frame_of(answer)
            answer.close()

        async def connections() -> int:
            return gateway.app._front.connections

        await eventually(connections, expected=0)
        if era == "legacy":
            assert not backend.ended.is_set()
            backend.may_end.set()
        async with hang_guard():
            await backend.ended.wait()
        assert backend.may_end.is_set() == (era == "legacy")


async def test_the_memory_of_a_stream_is_released_when_it_ends() -> None:
    async with running() as gateway:
        backend = Backend(gateway)
        async with gateway.send(modern("tools/call", CALLED)) as answer:
            await frame_of(answer)
            assert gateway.app._front._bodies.held > 0
            backend.may_end.set()
            await answer.content.read()

        async def held() -> int:
            return gateway.app._front._bodies.held

        await eventually(held, expected=0)


async def test_a_streaming_call_is_finished_before_the_gateway_stops() -> None:
    async with running() as gateway:
        backend = Backend(gateway)
        async with gateway.send(modern("tools/call", CALLED)) as answer:
            await frame_of(answer)
            stopping = asyncio.ensure_future(gateway.app.stop())
            await asyncio.sleep(0)
            backend.may_end.set()
            assert (await frame_of(answer))["result"]["content"][0]["text"] == "done"
            assert await answer.content.read() == b""
        async with hang_guard():
            await stopping

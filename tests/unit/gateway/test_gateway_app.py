"""The gateway over loopback sockets: front, management port, draining."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from mcp_operator.gateway.app import GatewayAddress, GatewayApp, is_loopback
from mcp_operator.gateway.front import connection, mcp
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.table import Current
from support.entries import resource, tool
from support.fake_executor import FakeExecutor
from support.identity import API_KEYS, by_token, token
from support.mcp_http import legacy, modern, notification, table
from support.running_gateway import frame_of, read, running
from support.waiting import hang_guard

LISTEN = modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}})


async def test_a_client_can_call_a_tool() -> None:
    async with running() as gateway:
        async with gateway.send(modern("tools/call", {"name": "add"})) as answer:
            body = await answer.json()

        assert answer.status == 200
        assert body["result"]["content"] == [{"type": "text", "text": "add"}]


async def test_white_space_around_header_values_is_ignored() -> None:
    request = modern("tools/call", {"name": "add"})
    lines = [f"{name}: \t {value} \t" for name, value in request.headers.items() if name != "host"]
    async with running() as gateway:
        head = [
            "POST /mcp HTTP/1.1",
            f"Host: localhost:{gateway.app.port}",
            f"Content-Length: {len(request.body)}",
            "Connection: close",
            *lines,
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.app.port)
        writer.write("\r\n".join([*head, "", ""]).encode() + request.body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_repeated_routing_header_gets_400() -> None:
    request = modern("tools/list")
    async with running() as gateway:
        headers = [(n, v) for n, v in request.headers.items() if n != "host"]
        headers.append(("mcp-method", "tools/list"))
        async with gateway.client.post(gateway.url, data=request.body, headers=headers) as answer:
            body = await answer.json()

    assert (answer.status, body["error"]["code"]) == (400, -32020)


async def test_another_host_than_loopback_gets_403() -> None:
    async with (
        running() as gateway,
        gateway.send(modern("tools/list"), host="evil.example") as answer,
    ):
        assert answer.status == 403


async def test_another_path_gets_404() -> None:
    async with running() as gateway, gateway.client.post(gateway.url + "/x", data=b"") as answer:
        assert (answer.status, await answer.text()) == (404, "MCP is served at /mcp\n")


async def test_the_served_paths_are_those_of_the_current_catalog() -> None:
    async with running(paths=("/mcp", "/shop/v1")) as gateway:
        root = gateway.url.removesuffix("/mcp")

        async def status(path: str) -> int:
            async with gateway.client.get(root + path) as answer:
                return answer.status

        served, unknown = 400, 404  # a GET without a session gets 400
        assert [await status(path) for path in ("/mcp", "/mcp/", "/shop/v1", "/shop/v1/")] == [
            served
        ] * 4
        assert [await status(path) for path in ("/", "/shop", "/shop/v1/x")] == [unknown] * 3
        gateway.current.swap(table(tool("add"), paths=("/", "/mcp")))
        assert [await status(path) for path in ("/", "/mcp", "/shop/v1")] == [served] * 2 + [
            unknown
        ]


async def test_a_body_over_the_limit_gets_413() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 4096

    async with running(max_request_bytes=10_000) as gateway:
        async with gateway.client.post(gateway.url, data=b"x" * 10_001) as answer:
            assert answer.status == 413
            assert "10000 bytes" in await answer.text()
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.app.port)
        head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(
            head.encode()
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + b"".join([b"1000\r\n" + b"x" * 4096 + b"\r\n"] * 3)
        )
        assert b" 413 " in await reader.readline()
        writer.close()


async def test_a_body_that_does_not_arrive_gets_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "BODY_SECONDS", 0.05)
    async with running() as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.app.port)
        head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(head + b"Content-Length: 9\r\n\r\n{")
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_stream_sends_a_notification_and_ends_with_its_result() -> None:
    async with running() as gateway, gateway.send(LISTEN) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert (await frame_of(answer))["method"].endswith("acknowledged")

        gateway.current.swap(table(tool("other")))
        assert (await frame_of(answer))["method"] == "notifications/tools/list_changed"
        assert await gateway.metric("mcp_open_streams") == 1

        stopping = asyncio.ensure_future(gateway.app.stop())
        assert (await frame_of(answer))["result"]["resultType"] == "complete"
        assert await answer.content.read() == b""
        await stopping


async def test_a_stream_is_closed_when_its_client_disconnects() -> None:
    async with running() as gateway:
        answer = await gateway.send(LISTEN)
        await frame_of(answer)
        answer.close()

        async with hang_guard():
            while await gateway.metric("mcp_open_streams") != 0:
                pass  # each iteration waits for a response


async def test_a_client_that_stops_reading_its_stream_is_disconnected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.05)
    uris = [f"test://{number}/{'x' * 2000}" for number in range(200)]
    wanted = {"notifications": {"resourceSubscriptions": uris}}
    async with running() as gateway:
        request = modern("subscriptions/listen", wanted)
        names = [(n, v) for n, v in request.headers.items() if n != "host"]
        head = "".join(f"{n}: {v}\r\n" for n, v in names)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.app.port, limit=1024)
        transport_socket = writer.get_extra_info("socket")
        transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.write(
            f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(request.body)}\r\n"
            f"{head}\r\n".encode()
            + request.body
        )
        await reader.readline()

        async with hang_guard():
            number = 0
            while await gateway.metric("mcp_open_streams") != 0:
                number += 1
                gateway.current.swap(table(*(resource(uri=uri, text=str(number)) for uri in uris)))
        writer.close()


async def test_a_modern_client_that_disconnects_cancels_its_call() -> None:
    async with running() as gateway:
        gateway.executor.gate.clear()
        call = asyncio.ensure_future(read(gateway, modern("tools/call", {"name": "add"})))
        await gateway.executor.started.wait()

        call.cancel()

        async with hang_guard():
            await gateway.executor.stopped.wait()
        assert gateway.executor.cancelled == ["add"]


async def test_a_legacy_client_can_initialize_listen_and_delete_its_session() -> None:
    async with running() as gateway:
        initialize = legacy("initialize", {"protocolVersion": "2025-06-18"})
        async with gateway.send(initialize) as answer:
            session = {"mcp-session-id": answer.headers["mcp-session-id"]}
        async with gateway.send(notification("notifications/initialized"), **session) as answer:
            assert (answer.status, await answer.read()) == (202, b"")
        async with gateway.send(HttpRequest("GET", {}), **session) as stream:
            gateway.current.swap(table())
            assert (await frame_of(stream))["method"] == "notifications/tools/list_changed"
            async with gateway.send(HttpRequest("DELETE", {}), **session) as answer:
                assert answer.status == 204
            assert await stream.content.read() == b""


async def test_draining_finishes_calls_in_progress_and_refuses_connections() -> None:
    async with running() as gateway:
        gateway.executor.gate.clear()
        call = asyncio.ensure_future(read(gateway, modern("tools/call", {"name": "add"})))
        await gateway.executor.started.wait()

        stopping = asyncio.ensure_future(gateway.app.stop())
        while (await gateway.manage("/readyz"))[0] != 503:
            pass  # each iteration waits for a response
        with pytest.raises(aiohttp.ClientConnectionError):
            await read(gateway, modern("tools/list"))
        assert not stopping.done()

        gateway.executor.gate.set()
        assert (await call)["result"]["content"][0]["text"] == "add"
        await stopping


async def test_draining_ends_calls_that_exceed_the_drain_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(drain_timeout_seconds=0.1) as gateway:
        initialize = legacy("initialize", {"protocolVersion": "2025-06-18"})
        async with gateway.send(initialize) as answer:
            session = answer.headers["mcp-session-id"]
        gateway.executor.gate.clear()
        request = legacy("tools/call", {"name": "add"}, mcp_session_id=session)
        call = asyncio.ensure_future(read(gateway, request))
        await gateway.executor.started.wait()

        await gateway.app.stop()

        assert "did not finish within the drain timeout" in caplog.text
        with pytest.raises(aiohttp.ClientError):
            await call


async def test_a_parting_gateway_is_not_ready_and_serves_until_its_clients_have_left() -> None:
    async with running() as gateway:
        async with gateway.send(modern("tools/list")) as answer:
            assert (
                "connection" not in answer.headers
            )  # keep-alive, so the gateway waits for its client
            await answer.read()
        stopping = asyncio.ensure_future(gateway.app.stop(parting=3600))
        await asyncio.sleep(0)

        status, text = await gateway.manage("/readyz")
        assert (status, text) == (503, "draining: this process is stopping\n")
        assert not stopping.done()
        async with gateway.send(modern("tools/list")) as answer:
            assert answer.headers["connection"] == "close"
            assert "result" in await answer.json()
        async with hang_guard():
            await stopping


async def test_a_parting_gateway_accepts_connections_while_a_client_is_connected() -> None:
    async with running() as gateway, aiohttp.ClientSession() as newcomer:
        await read(gateway, modern("tools/list"))
        stopping = asyncio.ensure_future(gateway.app.stop(parting=3600))
        request = modern("tools/list")
        headers = {name: value for name, value in request.headers.items() if name != "host"}

        async with newcomer.post(gateway.url, data=request.body, headers=headers) as answer:
            assert answer.status == 200
        assert not stopping.done()
        await gateway.client.close()
        await stopping


async def test_a_client_that_stays_is_disconnected_after_the_parting_time() -> None:
    async with running() as gateway:
        await read(gateway, modern("tools/list"))

        async with hang_guard():
            await gateway.app.stop(parting=0.1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await read(gateway, modern("tools/list"))


async def test_a_port_in_use_is_an_error_and_leaves_no_port_open() -> None:
    async with running() as gateway:
        address = GatewayAddress(port=gateway.app.port, management_port=0)
        second = GatewayApp(
            Current(), FakeExecutor(), address=address, registry=CollectorRegistry()
        )

        with pytest.raises(OSError, match="in use"):
            await second.start()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", second.management_port)


async def test_a_management_port_in_use_is_an_error() -> None:
    async with running() as gateway:
        address = GatewayAddress(port=0, management_port=gateway.app.management_port)
        second = GatewayApp(
            Current(), FakeExecutor(), address=address, registry=CollectorRegistry()
        )

        with pytest.raises(OSError, match="in use"):
            await second.start()


async def test_stopping_a_gateway_that_was_not_started_does_nothing() -> None:
    app = GatewayApp(
        Current(), FakeExecutor(), address=GatewayAddress(), registry=CollectorRegistry()
    )

    await app.stop()

    with pytest.raises(RuntimeError, match="has not been started"):
        _ = app.port


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_a_loopback_address_is_recognized(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "shop.example"])  # noqa: S104
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


async def test_a_client_that_is_refused_is_disconnected_before_it_sends_its_body() -> None:
    async with running(auth=API_KEYS) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.app.port)
        writer.write(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        answer = await reader.read()  # to the end of the connection
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"cannot authenticate clients" in answer
        assert await gateway.metric("mcp_authentications_total", outcome="unavailable") == 1


async def test_the_metadata_of_a_server_with_tokens_is_served_at_well_known_paths() -> None:
    well_known = "/.well-known/oauth-protected-resource"
    async with running(auth=by_token()) as gateway:
        root = gateway.url.removesuffix("/mcp")
        for path in (well_known, f"{well_known}/mcp"):
            async with gateway.client.get(root + path) as answer:
                assert answer.status == 200
                assert (await answer.json())["resource"] == gateway.url
        async with gateway.client.post(gateway.url, data=b"{}") as answer:
            assert answer.status == 401
            challenge = answer.headers["www-authenticate"]
            assert f'resource_metadata="{root}{well_known}/mcp"' in challenge
        async with gateway.client.get(f"{root}{well_known}/other") as answer:
            assert answer.status == 404


async def test_a_token_in_the_url_is_ignored() -> None:
    async with running(auth=by_token()) as gateway:
        url = f"{gateway.url}?access_token={token(exp=2**40)}"
        async with gateway.client.post(url, data=b"{}") as answer:
            assert answer.status == 401

"""`mcp-operator serve` uses the Redis that its files configure."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from mcp_operator.gateway.front.listener import Listener
from support.mcp_http import modern
from support.network import free_port
from support.redis_server import RedisServer
from support.serving import serving, settings, write
from support.waiting import eventually

FILES = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {{name: shop}}
spec:
  toolSelector: {{}}
  rateLimits: {{shared: {{requests: 3, per: Hour}}}}
  redis:
    address: 127.0.0.1
    port: {port}
    keyPrefix: "{prefix}"
    passwordSecretRef: {{name: redis, key: word}}
---
apiVersion: v1
kind: Secret
metadata: {{name: redis}}
stringData: {{word: opensesame}}
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {{name: ask}}
spec: {{name: ask, service: {{name: backend, port: 80}}}}
"""


async def answer(_: web.BaseRequest) -> web.Response:
    return web.Response(text="here")


async def call(url: str) -> tuple[int, str]:
    """Call the tool; return the status, and the header Retry-After."""
    request = modern("tools/call", {"name": "ask"})
    headers = {name: value for name, value in request.headers.items() if name != "host"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, data=request.body, headers=headers) as found,
    ):
        return found.status, found.headers.get("Retry-After", "")


async def test_calls_count_towards_the_limit_of_a_restarted_process(
    redis: RedisServer, tmp_path: Path
) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "opensesame")
    backend = Listener(answer)
    await backend.start("127.0.0.1", 0)
    files = FILES.format(port=redis.port, prefix="one:")
    found: list[tuple[int, str]] = []
    for calls in ([200, 200], [200, 429]):  # the command runs twice
        chosen = settings(
            write(tmp_path, files),
            port=free_port(),
            management_port=free_port(),
            services={"backend": f"127.0.0.1:{backend.port}"},
        )
        async with serving(chosen) as url:
            await until_up(chosen.management_port)
            found = [await call(url) for _ in calls]
            assert [status for status, _ in found] == calls
    assert int(found[-1][1]) == pytest.approx(1200, abs=60)
    assert await redis.ask("EXISTS", "one:{mcp:default/shop}:limit:s/", password="opensesame") == 1  # noqa: S106
    await backend.stop(0)


async def test_answers_are_shared_without_any_limit_of_calls(
    redis: RedisServer, tmp_path: Path
) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "opensesame")
    backend = Listener(answer)
    await backend.start("127.0.0.1", 0)
    files = FILES.format(port=redis.port, prefix="").replace(
        "rateLimits: {shared: {requests: 3, per: Hour}}", "cache: {storage: Redis}"
    )
    chosen = settings(
        write(
            tmp_path, files.replace("{name: ask, ", "{name: ask, method: GET, cache: {ttl: 1h}, ")
        ),
        port=free_port(),
        management_port=free_port(),
        services={"backend": f"127.0.0.1:{backend.port}"},
    )
    async with serving(chosen) as url:
        await until_up(chosen.management_port)
        assert (await call(url))[0] == 200
        kept = await redis.ask("KEYS", "{mcp:default/shop}:answer:*", password="opensesame")  # noqa: S106
        assert len(kept) == 1
    await backend.stop(0)


async def until_up(management_port: int) -> None:
    async def shown() -> bool:
        url = f"http://127.0.0.1:{management_port}/metrics"
        async with aiohttp.ClientSession() as client, client.get(url) as page:
            return "mcp_redis_up 1.0" in await page.text()

    await eventually(shown, expected=True)

"""A real gateway with a real backend, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry

from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.client import HttpUpstream
from mcp_operator.gateway.upstream.secret_values import StaticSecrets


@asynccontextmanager
async def before_backend(
    table: Table, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
) -> AsyncIterator[str]:
    """Serve entries whose backend is the Service `orders`; yield the gateway's URL."""
    current = Current()
    current.swap(table)
    async with AsyncExitStack() as stack:
        services = Listener(answer)
        await services.start("127.0.0.1", 0)
        stack.push_async_callback(services.stop, 0)
        upstream = await stack.enter_async_context(
            HttpUpstream({"demo/orders:80": f"127.0.0.1:{services.port}"}, user_agent="tests/1")
        )
        app = GatewayApp(
            current,
            HttpExecutor(current, upstream, StaticSecrets()),
            address=GatewayAddress(port=0, management_port=0),
            registry=CollectorRegistry(),
        )
        await app.start()
        stack.push_async_callback(app.stop)
        yield f"http://127.0.0.1:{app.port}/mcp"

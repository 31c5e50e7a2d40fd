"""A plain aiohttp server without MCP, which responds itself or calls a backend.

`bare.py PORT` responds itself, and `bare.py PORT UPSTREAM_PORT` calls a backend.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

UPSTREAM = web.AppKey("upstream", ClientSession)


async def answer(request: web.Request) -> web.Response:
    message = await request.json()
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": {"tools": []}})


def proxy(port: int) -> web.Application:
    async def session(app: web.Application) -> AsyncIterator[None]:
        async with ClientSession() as app[UPSTREAM]:
            yield

    async def call(request: web.Request) -> web.Response:
        message = await request.json()
        arguments = message["params"]["arguments"]
        url = f"http://127.0.0.1:{port}/orders"
        async with request.app[UPSTREAM].post(url, json=arguments) as found:
            order = await found.json()
        content = [{"type": "text", "text": json.dumps(order)}]
        result = {"content": content, "structuredContent": order}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_post("/mcp", call)
    return app


def main(port: int, upstream: int = 0) -> None:
    if upstream:
        app = proxy(upstream)
    else:
        app = web.Application()
        app.router.add_post("/mcp", answer)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

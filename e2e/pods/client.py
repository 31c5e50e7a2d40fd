"""An MCP client inside the cluster, for one request or for a load. It runs on the product's image.

python client.py call URL METHOD PARAMS      prints the answer's result or error
python client.py load URL TOOL RATE LEAST SECONDS
                                             calls a tool until stdin ends, prints a summary
python client.py get URL                     prints the status and the body of a plain GET
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp

REVISION = "2026-07-28"

TIMEOUT = aiohttp.ClientTimeout(total=120)

CONNECTIONS = 32
"""The number of kept connections. Every second request opens its own connection instead."""

META = {
    "io.modelcontextprotocol/protocolVersion": REVISION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


async def ask(
    session: aiohttp.ClientSession, url: str, method: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Send one request in the stateless revision, and return the message of the answer."""
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": REVISION,
        "Mcp-Method": method,
    }
    if method in NAMED_BY:
        headers["Mcp-Name"] = params[NAMED_BY[method]]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **params}}
    async with session.post(url, json=message, headers=headers) as response:
        text = await response.text()
        if response.content_type == "text/event-stream":  # of a call that takes long
            data = [line for line in text.splitlines() if line.startswith("data:")]
            text = data[-1].removeprefix("data:") if data else ""
        answer: dict[str, Any] = json.loads(text)
        return answer


async def call(url: str, method: str, params: str) -> None:
    """Print the answer to one request."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        print(json.dumps(await ask(session, url, method, json.loads(params))))


async def get(url: str) -> None:
    """Print the status and the body of a plain GET."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session, session.get(url) as response:
        print(json.dumps({"status": response.status, "body": await response.text()}))


class Load:
    """Calls one tool at a steady rate, without waiting for earlier answers."""

    def __init__(self, url: str, tool: str) -> None:
        self.url, self.tool = url, tool
        self.latencies: list[float] = []
        self.failures: collections.Counter[str] = collections.Counter()

    async def run(self, rate: float, least: int, seconds: float, stop: asyncio.Event) -> float:
        """Send calls until `stop` is set, but at least `least`; return the duration in seconds.

        It always stops after `seconds`.
        """
        loop = asyncio.get_running_loop()
        kept = aiohttp.TCPConnector(limit=CONNECTIONS)
        single = aiohttp.TCPConnector(limit=0, force_close=True)
        async with (
            aiohttp.ClientSession(connector=kept, timeout=TIMEOUT) as keeping,
            aiohttp.ClientSession(connector=single, timeout=TIMEOUT) as opening,
            asyncio.TaskGroup() as group,
        ):
            began = loop.time()
            number = 0
            while (number < least or not stop.is_set()) and loop.time() - began < seconds:
                group.create_task(self._call(opening if number % 2 else keeping))
                number += 1
                await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
            return loop.time() - began

    async def _call(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        params = {"name": self.tool, "arguments": {}}
        try:
            answer = await ask(session, self.url, "tools/call", params)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            kind = "new" if session.connector and session.connector.force_close else "kept"
            self.failures[f"{type(error).__name__} on a {kind} connection: {error}"] += 1
            return
        if "error" in answer or answer["result"].get("isError"):
            self.failures[json.dumps(answer)[:300]] += 1
        self.latencies.append(loop.time() - began)


async def load(url: str, tool: str, rate: str, least: str, seconds: str) -> None:
    """Print `started`, send calls at least until standard input ends, and print the summary."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    running = Load(url, tool)
    print("started", flush=True)
    took = await running.run(float(rate), int(least), float(seconds), stop)
    latencies = sorted(running.latencies) or [0.0]
    failed = running.failures.total()
    summary = {
        "calls": len(running.latencies)
        + sum(count for reason, count in running.failures.items() if " on a " in reason),
        "failed": failed,
        "failures": dict(running.failures),
        "seconds": round(took, 1),
        "p50_ms": round(1000 * latencies[len(latencies) // 2], 1),
        "p99_ms": round(1000 * latencies[len(latencies) * 99 // 100], 1),
        "max_ms": round(1000 * latencies[-1], 1),
    }
    print(json.dumps(summary))


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "call": call,
    "get": get,
    "load": load,
}

if __name__ == "__main__":
    asyncio.run(COMMANDS[sys.argv[1]](*sys.argv[2:]))

"""The servers to compare: the command and the requests of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.gateway import files
from bench.gateway.load import Request
from support.mcp_http import JSON_HEADERS, META, MODERN

_HERE = Path(__file__).parent

LIST, CALL = "tools/list", "tools/call"

_ARGUMENTS = {"sku": "teapot-7", "quantity": 2, "note": "leave it with the neighbour"}


@dataclass(frozen=True)
class Contestant:
    """One server.

    Attributes:
        name: Its name in the tables.
        methods: The MCP methods of the requests.
        command: Returns the command for its port, the backend's port and a folder of its own.
        headers: Returns the headers that clients send in addition to those of MCP.
    """

    name: str
    methods: tuple[str, ...]
    command: Callable[[int, int, Path], list[str | Path]]
    headers: Callable[[], dict[str, str]] = dict


def request(method: str, headers: dict[str, str]) -> Request:
    """Return the request of MCP 2026-07-28 for a method."""
    routing = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    params: dict[str, Any] = {"_meta": META}
    if method == CALL:
        routing["Mcp-Name"] = files.tool_name(7)
        params |= {"name": files.tool_name(7), "arguments": _ARGUMENTS}
    given = {name.title(): value for name, value in JSON_HEADERS.items() if name != "host"}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    expected = str(files.ORDER["id"]) if method == CALL else '"tools":'
    return Request(given | routing | headers, json.dumps(message), expected)


def _bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def _ours(spec: dict[str, Any]) -> Callable[[int, int, Path], list[str | Path]]:
    def command(port: int, backend: int, folder: Path) -> list[str | Path]:
        files.write(folder, spec)
        service = f"--service=orders=127.0.0.1:{backend}"
        return [sys.executable, "-m", "mcp_operator", "serve", folder, f"--port={port}", service]

    return command


CONTESTANTS = (
    Contestant(
        "aiohttp",
        (LIST,),
        lambda port, _backend, _folder: [sys.executable, _HERE / "bare.py", str(port)],
    ),
    Contestant(
        "aiohttp-proxy",
        (CALL,),
        lambda port, backend, _: [sys.executable, _HERE / "bare.py", str(port), str(backend)],
    ),
    Contestant(
        "sdk",
        (LIST, CALL),
        lambda port, backend, _: [sys.executable, _HERE / "sdk.py", str(port), str(backend)],
    ),
    Contestant("gateway", (LIST, CALL), _ours(files.NO_AUTH)),
    Contestant(
        "gateway-jwt", (CALL,), _ours(files.BY_TOKEN), lambda: _bearer(files.bearer_token())
    ),
    Contestant("gateway-key", (CALL,), _ours(files.BY_KEY), lambda: _bearer(files.API_KEY)),
    Contestant("gateway-audit", (CALL,), _ours(files.AUDITED)),
)

RATIOS = (
    ("gateway", LIST, "aiohttp", LIST),
    ("gateway", CALL, "aiohttp-proxy", CALL),
    ("gateway", LIST, "sdk", LIST),
    ("gateway", CALL, "sdk", CALL),
    ("gateway-jwt", CALL, "gateway", CALL),
    ("gateway-key", CALL, "gateway", CALL),
    ("gateway-audit", CALL, "gateway", CALL),
)
"""The pairs of figures whose ratios are shown."""

"""The files for the gateway: twenty tools, and a server with a contestant's settings."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.identity import AUDIENCE, ISSUER, jwk, rsa_key, token

TOOLS = 20

API_KEY = "bench-0123456789abcdef-0123456789abcdef"

INPUT_SCHEMA = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "description": "The product's sku.", "maxLength": 32},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 999},
        "note": {"type": "string", "description": "What the warehouse should know."},
    },
    "required": ["sku", "quantity"],
    "additionalProperties": False,
}

ORDER = {"id": "A-10023", "sku": "teapot-7", "quantity": 2, "total": 4990, "days": 3}
"""The response of the backend."""

OUTPUT_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "sku": {"type": "string"},
        "quantity": {"type": "integer"},
        "total": {"type": "integer", "description": "What it costs, in cents."},
        "days": {"type": "integer", "description": "Days until it is delivered."},
    },
    "required": ["id", "sku", "quantity", "total", "days"],
}

NO_AUTH: dict[str, Any] = {}
BY_KEY = {"auth": {"type": "APIKey", "apiKey": {"secretRef": {"name": "clients"}}}}
BY_TOKEN = {
    "auth": {
        "type": "JWT",
        "jwt": {
            "issuer": ISSUER,
            "audiences": [AUDIENCE],
            "jwksConfigMapRef": {"name": "keys", "key": "jwks.json"},
        },
    }
}
AUDITED = {"audit": "All"}


def tool_name(number: int) -> str:
    return f"place-order-{number}"


def described(number: int) -> str:
    return f"Places an order in warehouse {number}, and tells when it will be delivered."


def bearer_token() -> str:
    """Return a token that is valid for an hour."""
    now = int(time.time())
    return token(iat=now, exp=now + 3600)


def write(folder: Path, server: Mapping[str, Any]) -> None:
    """Write a server with its tools and everything that it can refer to.

    Args:
        folder: The folder to create.
        server: Additional fields of the MCPServer's spec.
    """
    folder.mkdir()
    keys = json.dumps({"keys": [jwk(rsa_key(), "rsa", use="sig")]})
    objects = [
        _object("MCPServer", "shop", spec={"toolSelector": {}, **server}),
        _object("Secret", "clients", "v1", stringData={"bench": API_KEY}),
        _object("ConfigMap", "keys", "v1", data={"jwks.json": keys}),
        *(_tool(number) for number in range(TOOLS)),
    ]
    for number, each in enumerate(objects):
        (folder / f"{number:03}.yaml").write_text(json.dumps(each), encoding="utf-8")


def _tool(number: int) -> dict[str, Any]:
    name = tool_name(number)
    spec = {
        "name": name,
        "description": described(number),
        "service": {"name": "orders", "port": 80, "path": "/orders"},
        "method": "POST",
        "inputSchema": INPUT_SCHEMA,
        "outputSchema": OUTPUT_SCHEMA,
    }
    return _object("MCPTool", name, spec=spec)


def _object(
    kind: str, name: str, api: str = "mcp-operator.dev/v1alpha1", **rest: Any
) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **rest}

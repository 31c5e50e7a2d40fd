"""The output of `kubectl get`, from the tables that the API server itself creates (KEP-1027)."""

from __future__ import annotations

import json

from mcp_operator.core.meta import Resource
from mcp_operator.runtime.client import Client

_ACCEPT = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def table(client: Client, resource: Resource, namespace: str) -> str:
    """Return the columns that `kubectl get` shows without `-o wide`."""
    path = resource.path(namespace)
    answer = json.loads(await client.request("GET", path, headers={"Accept": _ACCEPT}))
    shown = [
        (index, column["name"].upper())
        for index, column in enumerate(answer["columnDefinitions"])
        if column.get("priority", 0) == 0
    ]
    rows = [
        [name for _, name in shown],
        *([_cell(row["cells"][index]) for index, _ in shown] for row in answer.get("rows") or ()),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _cell(value: object) -> str:
    return "" if value is None else str(value)

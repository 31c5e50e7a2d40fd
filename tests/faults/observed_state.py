"""The state in the caches and catalogs of a settled operator, in the form of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faults.model import PREFIXES
from faults.stability import stored
from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import CHILDREN
from mcp_operator.core.meta import Object, controller_of, key_of, uid_of
from support.operators import Operator
from support.shop import Shop


async def observed_state(shop: Shop, operator: Operator) -> dict[str, object]:
    """Return the observed state of each object, in the form of `Model.expected`.

    It is read from the caches; `Operator.lagging` says whether they match the API server.
    """
    state = {
        f"{resource.kind} {key_of(obj).name}": object_state(obj)
        for resource in (MCPTOOLS, MCPPROMPTS, MCPRESOURCES)
        for obj in stored(operator, resource)
    }
    servers = {
        key_of(server).name: server_state(server, children_of(server, operator))
        for server in stored(operator, MCPSERVERS)
    }
    for name, seen in servers.items():
        state[f"MCPServer {name}"] = {**seen, "serves": await shop.served(name)}
    return state


def server_state(server: Object, children: Iterator[str]) -> dict[str, object]:
    """Return the observed state of a server, without its catalog."""
    status = server.get("status", {})
    rejected = [f"{each['kind']} {each['name']}" for each in status.get("rejected", ())]
    return {
        "counts": [status.get(f"{kind.removeprefix('MCP').lower()}Count") for kind in PREFIXES],
        "rejected": sorted(rejected),
        "children": sorted(children),
        "reasons": reasons(status),
    }


def object_state(obj: Object) -> object:
    """Return the observed state of a tool, prompt or resource."""
    status = obj.get("status", {})
    return {
        "servers": {each["name"]: each["accepted"] for each in status.get("servers", ())},
        "count": status.get("serverCount"),
        "reasons": reasons(status),
    }


def children_of(server: Object, operator: Operator) -> Iterator[str]:
    """Yield the kinds of the objects whose controller is the server, with any labels."""
    for resource in CHILDREN:
        for child in {key_of(obj): obj for obj in stored(operator, resource)}.values():
            if (controller_of(child) or {}).get("uid") == uid_of(server):
                yield resource.kind


def reasons(status: Object) -> dict[str, str]:
    """Return the reason of each condition."""
    return {each["type"]: each["reason"] for each in status.get("conditions", ())}


def differences(real: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """Return a line for each object that differs from the expected state."""
    return [
        f"{name} is {real.get(name)}, not {wanted.get(name)}"
        for name in sorted(real.keys() | wanted.keys())
        if real.get(name) != wanted.get(name)
    ]

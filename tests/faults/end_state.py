"""The end state of a namespace, and the difference between two such states."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.builders.resources import CHILDREN, HTTPROUTES
from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client

OURS = (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES)

_VARYING = {
    "UID": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    "HASH": re.compile(r"[0-9a-f]{16,64}"),
    "TIME": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "IP": re.compile(r"10\.\d+\.\d+\.\d+"),
}


async def end_state(client: Client, namespace: str) -> dict[str, Any]:
    """Return all objects of a namespace, without values that differ between runs."""
    found: dict[str, Any] = {}
    for resource in (*OURS, *(child for child in CHILDREN if child != HTTPROUTES)):
        async for page in client.list_pages(resource, namespace=namespace):
            for obj in page.items:
                if not key_of(obj).name.startswith("kube-"):
                    name = f"{resource.kind} {key_of(obj).name}"
                    found[name] = _constant(obj, resource, namespace)
    return found


def differences(wanted: dict[str, Any], found: dict[str, Any]) -> str:
    """Return the difference between two end states, line by line; empty if they are equal."""
    one, other = (
        json.dumps(state, indent=1, sort_keys=True).splitlines() for state in (wanted, found)
    )
    return "\n".join(difflib.unified_diff(one, other, "wanted", "found", lineterm="", n=12))


def _constant(obj: Object, resource: Resource, namespace: str) -> Any:
    metadata = obj["metadata"]
    kept = {name: metadata.get(name) for name in ("labels", "annotations", "ownerReferences")}
    content = {name: value for name, value in obj.items() if name not in {"metadata", "binaryData"}}
    if resource not in OURS:
        content.pop("status", None)
    text = json.dumps({"metadata": kept, **content}, sort_keys=True).replace(namespace, "NS")
    for word, pattern in _VARYING.items():
        text = pattern.sub(word, text)
    return _filled(json.loads(text))


def _filled(value: Any) -> Any:
    """Leave out empty values: whether the API server keeps them depends on the previous state."""
    if isinstance(value, dict):
        pairs = ((name, _filled(each)) for name, each in value.items())
        return {name: each for name, each in pairs if each not in (None, "", [], {})}
    return [_filled(each) for each in value] if isinstance(value, list) else value

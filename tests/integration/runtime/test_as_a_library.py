"""A controller on `runtime` and `core` alone, which is also the documentation's example."""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import sys
from pathlib import Path

from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from support import copier
from support.controlplane import Cluster
from support.waiting import eventually

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "controller-runtime.md"


async def read(client: Client, key: Key) -> Object | None:
    try:
        data: Object = (await client.get(copier.CONFIG_MAPS, key))["data"]
    except ApiError:
        return None
    return data


async def test_a_controller_of_forty_lines_handles_creation_change_drift_and_deletion(
    control_plane: Cluster, client: Client, namespace: str
) -> None:
    metadata = {"namespace": namespace, "name": "greeting", "labels": {"copy": "true"}}
    original = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    copy = functools.partial(read, client, Key(namespace, "greeting-copy"))
    running = asyncio.create_task(copier.run(control_plane.kubeconfig, namespace))
    try:
        await client.create(copier.CONFIG_MAPS, original | {"data": {"text": "hello"}})
        await eventually(copy, {"text": "hello"})
        await client.merge_patch(
            copier.CONFIG_MAPS, Key(namespace, "greeting"), {"data": {"text": "bye"}}
        )
        await eventually(copy, {"text": "bye"})
        await client.merge_patch(
            copier.CONFIG_MAPS, Key(namespace, "greeting-copy"), {"data": {"text": "drift"}}
        )
        await eventually(copy, {"text": "bye"})
        await client.delete(copier.CONFIG_MAPS, Key(namespace, "greeting-copy"))
        await eventually(copy, {"text": "bye"})
    finally:
        running.cancel()
        await asyncio.wait({running})


def test_the_documentation_shows_the_tested_example() -> None:
    source = inspect.getsource(copier)
    assert f"```python\n{source}```" in PAGE.read_text(encoding="utf-8")
    code = [
        line for line in source.splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(code) <= 45


def test_the_example_and_the_runtime_import_only_runtime_and_core() -> None:
    tree = ast.parse(inspect.getsource(copier))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in modules if module.startswith("mcp_operator")}
    assert {module.split(".")[1] for module in ours} == {"core", "runtime"}
    runtime = Path(sys.modules["mcp_operator.runtime.client"].__file__ or "").parent
    for path in runtime.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mcp_operator."):
                assert (node.module or "").split(".")[1] in {"core", "runtime"}

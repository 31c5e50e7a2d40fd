"""`mcp-operator gateway --workers` with a real API server: each worker watches the catalog."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from mcp_operator.api.catalog import digest
from mcp_operator.runtime.client import Client
from support.controlplane import Cluster
from support.entries import catalog, tool
from support.network import free_port
from support.processes import ProcessGroup
from support.served_samples import MODULE
from support.waiting import HANG_SECONDS, eventually
from support.written_catalog import write_catalog


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[ProcessGroup]:
    directory = tmp_path / "processes"
    directory.mkdir()
    group = ProcessGroup(directory)
    yield group
    group.stop()


async def test_a_catalog_is_confirmed_when_every_worker_serves_it(
    control_plane: Cluster, client: Client, namespace: str, processes: ProcessGroup
) -> None:
    ports = free_port(), free_port()
    child = processes.start(
        "gateway",
        [
            *(*MODULE, "gateway", "--workers=2", f"--namespace={namespace}", "--server=shop"),
            *(f"--kubeconfig={control_plane.kubeconfig}", "--bind-address=127.0.0.1"),
            *(f"--port={ports[0]}", f"--management-port={ports[1]}"),
        ],
    )
    one, two = catalog(tool("a")), catalog(tool("a"), tool("b"))
    await write_catalog(client, namespace, one)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{ports[1]}") as session:

        async def get(path: str) -> str:
            child.check()
            try:
                async with session.get(path) as answer:
                    return await answer.text()
            except aiohttp.ClientConnectionError:
                return ""

        async def served(wanted: str) -> str:
            text = await get(f"/catalog?digest={wanted}&wait=20")
            return str(json.loads(text)["digest"]) if text else ""

        for each in (one, two):
            await write_catalog(client, namespace, each)
            wanted = digest(each.canonical())
            await eventually(partial(served, wanted), wanted)
            digests = [
                line for line in (await get("/metrics")).splitlines() if "mcp_catalog_info{" in line
            ]
            assert digests == [f'mcp_catalog_info{{digest="{wanted}"}} 1.0']

        child.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.process.wait, HANG_SECONDS) == 0
    assert processes.logs().count("The gateway has stopped") == 2

"""The official Go and Rust clients, against one gateway, and against three that take turns."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.cargobuild import find_rust_client
from support.everything import TOOLS, serving_everything, serving_replicas
from support.processes import ProcessGroup
from support.provision import UnavailableError, find_go_client
from support.redis_server import RedisServer

NAMES = sorted(entry.name for entry in TOOLS)

versions = pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])


@pytest.fixture(scope="module", params=[find_go_client, find_rust_client], ids=["go", "rust"])
def program(request: pytest.FixtureRequest) -> Path:
    try:
        found: Path = request.param(print)
    except UnavailableError as error:
        pytest.skip(str(error))
    return found


async def seen(program: Path, url: str, version: str) -> Any:
    """Run the client, and return what it says."""
    process = await asyncio.create_subprocess_exec(
        program, url, version, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)


def assert_used(said: Any, version: str) -> None:
    assert sorted(set(said["tools"]) & set(NAMES)) == NAMES
    assert said["sum"] == {"sum": 3}
    assert said["regions"] == (["eu", "us"] if version >= "2026" else {"result": ["eu", "us"]})
    assert said["wrong"] is True
    assert said["prompt"] == "Prompt with arguments: arg1='x', arg2='y'"
    assert json.loads(said["resource"]) == {"id": "7", "templateTest": True}
    assert len(said["progress"]) >= 2
    assert said["progress"] == sorted(set(said["progress"]))
    modern = version == "2026-07-28"
    # In 2026-07-28 each request asks for messages and listening is up to it, which not all do.
    assert len(said["logged"]) >= 2 or modern
    assert said["asked"] == ["Who are you?"]
    assert "@example.com" in said["elicited"]
    newest = said.get("newTools", ())
    assert any(name.startswith("newcomer_") for name in newest) or modern


@versions
async def test_the_client_uses_every_feature(program: Path, version: str) -> None:
    async with serving_everything() as served:
        assert_used(await seen(program, served.url, version), version)


@versions
async def test_the_client_uses_every_feature_of_three_replicas(
    program: Path, version: str, processes: ProcessGroup
) -> None:
    redis = RedisServer(processes)
    await redis.start()
    async with serving_replicas(3, redis.port) as served:
        assert_used(await seen(program, served.url, version), version)

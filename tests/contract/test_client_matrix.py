"""The official clients in complete sessions, with one gateway and with three in round robin.

Each client is a program that takes the steps of a session and prints what it saw. Then all gateways
are replaced, and it continues. `MATRIX` lists the clients, the revisions that they speak, and the
steps that they take; `LEFT_OUT` says why a client does not take a step.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.cargobuild import find_rust_client
from support.everything import TOOLS, WATCHED, Replicas, serving_replicas
from support.processes import ProcessGroup
from support.provision import UnavailableError, find_go_client
from support.redis_server import RedisServer
from support.waiting import hang_guard

LEGACY, MODERN = "2025-11-25", "2026-07-28"

MATRIX = """
client      revision   | list call progress elicitation task cancel subscribe list_changed reconnect
python1     2025-11-25 |  *    *      *          *       1     *        *          *           *
python2     2025-11-25 |  *    *      *          *       1     *        *          *           *
python2     2026-07-28 |  *    *      *          *       *     *        *          *           *
typescript1 2025-11-25 |  *    *      *          *       1     *        *          *           *
typescript2 2025-11-25 |  *    *      *          *       1     *        *          *           *
typescript2 2026-07-28 |  *    *      *          *       2     *        *          *           *
go          2025-11-25 |  *    *      *          *       1     *        *          *           *
go          2026-07-28 |  *    *      *          *       3     *        *          *           *
rust        2025-11-25 |  *    *      *          *       1     *        *          *           *
rust        2026-07-28 |  *    *      *          *       *     *        *          *           *
"""

LEFT_OUT = {
    "1": "tasks are an extension of 2026-07-28: in a session, a call waits for the end of the work",
    "2": "the client refuses results of other types than `complete` and `input_required`",
    "3": "the client drops the id of a task from the result of a call, and the `Mcp-Name` that the "
    "extension requires from `tasks/get`",
}

HEADER, *ROWS = (line.split("|") for line in MATRIX.strip().splitlines())
STEPS = HEADER[1].split()
CELLS = {tuple(row[0].split()): dict(zip(STEPS, row[1].split(), strict=True)) for row in ROWS}

NAMES = {entry.name for entry in TOOLS}
FOLDER = Path(__file__).parent / "clients"


class Session(NamedTuple):
    """What a client prints about a session.

    Attributes:
        version: The revision that it speaks.
        before: What it saw of the first gateways.
        after: What it saw of the gateways that replaced them.
    """

    version: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def check_list(saw: Session) -> None:
    assert set(saw.before["tools"]) == NAMES
    assert len(saw.before["tools"]) == len(NAMES)


def check_call(saw: Session) -> None:
    assert saw.before["sum"] == {"sum": 3}
    array = ["eu", "us"]
    assert saw.before["regions"] == (array if saw.version == MODERN else {"result": array})
    assert saw.before["wrong"] is True
    assert saw.before["prompt"] == "Prompt with arguments: arg1='x', arg2='y'"
    assert json.loads(saw.before["resource"]) == {"id": "7", "templateTest": True}


def check_progress(saw: Session) -> None:
    progress = saw.before["progress"]
    assert len(progress) >= 2
    assert progress == sorted(set(progress))
    # In 2026-07-28 each request has to ask for log messages, which not all clients do.
    assert len(saw.before["logged"]) >= 2 or saw.version == MODERN


def check_elicitation(saw: Session) -> None:
    assert saw.before["asked"] == ["Who are you?"]
    assert "@example.com" in saw.before["elicited"]


def check_task(saw: Session) -> None:
    assert saw.before["task"] == {"result": "Computed.", "cancelled": "cancelled"}


def check_cancel(saw: Session) -> None:
    assert saw.before["cancelled"] == "The call has ended."


def check_subscribe(saw: Session) -> None:
    assert saw.before["updated"] == WATCHED


def check_list_changed(saw: Session) -> None:
    assert new_tools(saw.before)


def check_reconnect(saw: Session) -> None:
    assert saw.after["sum"] == {"sum": 3}
    assert new_tools(saw.after)
    assert new_tools(saw.after) != new_tools(saw.before)


CHECKS: dict[str, Callable[[Session], None]] = {step: globals()[f"check_{step}"] for step in STEPS}


def new_tools(said: Mapping[str, Any]) -> set[str]:
    """Return the tools that were added when the client was notified of a change."""
    return set(said["newTools"]) - NAMES


def command(client: str) -> tuple[str, ...]:
    """Return the command that runs a client; skip the test without the client."""
    if client == "python1":
        return from_environment("MCP_OPERATOR_MCP1_PYTHON"), str(FOLDER / "python1.py")
    if client == "python2":
        return sys.executable, str(FOLDER / "python2.py")
    if client == "typescript1":
        return node(), str(Path(from_environment("MCP_OPERATOR_TS1_CLIENT"), "client.mjs"))
    if client == "typescript2":
        return node(), str(Path(from_environment("MCP_OPERATOR_TS_CLIENT"), "client.mjs"))
    find = find_go_client if client == "go" else find_rust_client
    try:
        return (str(find(print)),)
    except UnavailableError as error:
        pytest.skip(str(error))


def from_environment(variable: str) -> str:
    """Return the value of a variable; skip the test without it."""
    value = os.environ.get(variable)
    return value or pytest.skip(f"{variable} is not set (nox -s contract)")


def node() -> str:
    """Return the path of Node.js; skip the test without it."""
    return shutil.which("node") or pytest.skip("there is no node command on PATH")


@asynccontextmanager
async def serving(replicas: int, processes: ProcessGroup) -> AsyncIterator[Replicas]:
    """Serve with one gateway, or with several that share a Redis."""
    port = None
    if replicas > 1:
        redis = RedisServer(processes)
        await redis.start()
        port = redis.port
    async with serving_replicas(replicas, port) as served:
        yield served


async def session(client: tuple[str, ...], version: str, served: Replicas) -> Session:
    """Run a client, and replace the gateways in the middle."""
    process = await asyncio.create_subprocess_exec(
        *(*client, served.url, version),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with hang_guard():
            before = await process.stdout.readline()
            await served.restart()
            after, _ = await process.communicate(b"\n")
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Session(version, json.loads(before), json.loads(after))


@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(("client", "version"), CELLS)
async def test_a_client_takes_every_step_of_a_session(
    client: str, version: str, replicas: int, processes: ProcessGroup
) -> None:
    program = command(client)
    async with serving(replicas, processes) as served:
        saw = await session(program, version, served)

    assert saw.before.get("version", version) == version
    for step, mark in CELLS[client, version].items():
        if mark == "*":
            CHECKS[step](saw)
        else:
            assert step not in saw.before, f"the table says that {LEFT_OUT[mark]}"

"""What goes wrong, as `make demo-ops` shows it: who says what of a fault, and the recovery.

Each drill checks itself: that the documented alert fires on what was scraped, what the conditions,
the log and the client say, and that all is well afterwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client

from drill_environment import DrillEnvironment
from drills import Drills
from environment import Processes
from narrator import Narrator
from support.controlplane import Cluster, ControlPlane
from support.promtool import promtool
from support.provision import UnavailableError
from support.waiting import HANG_SECONDS


@pytest.fixture
def command() -> Path:
    try:
        return promtool()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
async def environment(
    control_plane: Cluster, crds_installed: None
) -> AsyncIterator[DrillEnvironment]:
    if not (isinstance(control_plane, ControlPlane) and control_plane.has_controllers):
        pytest.skip("it runs pods, which needs a control plane of the tests' own")
    async with Processes() as processes, DrillEnvironment(control_plane, processes) as environment:
        await environment.start_operator()
        await environment.apply_samples()
        await environment.start_gateway()
        yield environment


async def test_every_fault_shows_its_alert_and_conditions_and_is_repaired(
    environment: DrillEnvironment, command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Client(environment.url, read_timeout_seconds=HANG_SECONDS) as client:
        await Drills(environment, Narrator(), client, command).run()
    said = capsys.readouterr().out
    assert said.count("healed     ") == 5
    assert said.count(" of this\n") == 5
    assert "[redacted]" in said

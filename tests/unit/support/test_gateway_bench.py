"""The files of the gateway benchmark are served, and its ratios use measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.gateway import files
from bench.gateway.contestants import CONTESTANTS, RATIOS
from mcp_operator.app.serve import read
from support.serving import settings


@pytest.mark.parametrize(
    "spec",
    [files.NO_AUTH, files.BY_KEY, files.BY_TOKEN, files.AUDITED],
    ids=["open", "by key", "by token", "audited"],
)
def test_a_gateway_serves_all_tools_of_the_benchmark(tmp_path: Path, spec: dict[str, Any]) -> None:
    folder = tmp_path / "files"
    files.write(folder, spec)
    snapshot = read(settings(folder))
    assert len(snapshot.table.tools) == files.TOOLS
    assert not snapshot.not_served
    assert not snapshot.closed


def test_every_compared_figure_is_measured() -> None:
    measured = {(each.name, method) for each in CONTESTANTS for method in each.methods}
    assert {
        pair for one, method, other, by in RATIOS for pair in ((one, method), (other, by))
    } <= measured

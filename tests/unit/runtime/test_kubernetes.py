"""Importing the used parts of kubernetes_asyncio does not import the rest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3] / "operator"

SCRIPT = """
import json, sys
import mcp_operator.runtime.informer, mcp_operator.runtime.leader
names = [name for name in sys.modules if name.startswith("kubernetes_asyncio")]
print(json.dumps(sorted(names)))
"""


def imported(script: str) -> list[str]:
    done = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", script], env={"PYTHONPATH": str(ROOT)}, stdout=-1, check=True
    )
    names: list[str] = json.loads(done.stdout)
    return names


def test_no_generated_model_or_api_is_imported() -> None:
    names = imported(SCRIPT)
    assert "kubernetes_asyncio.client.api_client" in names
    assert "kubernetes_asyncio.config.kube_config" in names
    assert [name for name in names if ".models." in name or ".client.api." in name] == []


def test_a_program_that_imported_the_whole_library_before_can_still_use_it() -> None:
    names = imported("import kubernetes_asyncio.client as c; c.CoreV1Api" + SCRIPT + "c.V1Pod")
    assert "kubernetes_asyncio.client.models.v1_pod" in names

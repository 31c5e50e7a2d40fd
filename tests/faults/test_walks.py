"""Random walks of users and faults, whose end states must match the model.

Every run of the tests takes a few walks, always the same ones as long as the rules stay the same.
`MCP_OPERATOR_WALKS=1000` takes a thousand others, as CI does every night.

Hypothesis shrinks a walk that fails, for at most five minutes. The report shows the shortest walk
as a program, and `@reproduce_failure(…)`: above the class `Walk`, the decorator repeats that walk.
The steps are then the same, but not how far the operator is at each of them. A walk that fails only
sometimes is reported as flaky: the end of the report shows the steps of the first walk that failed,
and why. The option `--hypothesis-seed=7` chooses the walks that the variable requests.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.proxy import fault_proxy
from faults.walks import Walk, WalkContext
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.retry import Backoff
from support.controlplane import Cluster
from support.mutations import MutationDetector

WALKS = int(os.environ.get("MCP_OPERATOR_WALKS") or 0)
"""How many walks are taken; by default a few, always the same."""

SETTINGS = settings(
    max_examples=WALKS or 10,
    stateful_step_count=20,
    derandomize=not WALKS,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


class ErrorLog(logging.Handler):
    """Collects logged errors: a working operator logs none."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@pytest.fixture
def logged_errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The logged errors. Warnings, which every broken watch causes, are not collected."""
    caplog.set_level(logging.ERROR, "mcp_operator")
    handler = ErrorLog()
    logging.getLogger().addHandler(handler)
    yield handler.messages
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def context(
    *,
    active_cluster: Cluster,
    tmp_path: Path,
    logged_errors: list[str],
    mutation_detector: MutationDetector,
    short_pauses: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WalkContext]:
    """The context of the walks: an event loop, a proxy, and a user who bypasses it."""
    monkeypatch.setattr(Backoff, "FACTOR", 1.0)  # walks break watches more often than real networks
    kubeconfig = active_cluster.kubeconfig

    def clean_up() -> None:
        logged_errors.clear()
        gc.collect()
        mutation_detector.check()
        mutation_detector.forget()

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        proxy = runner.run(stack.enter_async_context(fault_proxy(tmp_path, kubeconfig)))
        user = runner.run(
            Client.connect(
                kubeconfig=kubeconfig,
                field_manager="user",
                user_agent="mcp-operator-tests",
                metrics=RuntimeMetrics(new_registry()),
            )
        )
        stack.push_async_callback(user.close)
        yield WalkContext(user, proxy, runner.run, logged_errors, clean_up)
        runner.run(stack.aclose())


@pytest.mark.timeout(1200 + 60 * WALKS)
def test_random_walks_end_in_the_state_of_the_model(context: WalkContext) -> None:
    Walk.context = context
    try:
        run_state_machine_as_test(Walk, settings=SETTINGS)
    except Exception as error:
        error.add_note(f"The first walk that failed:\n{context.first_failure}")
        raise

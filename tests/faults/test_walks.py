"""Random walks: whatever users do and whatever breaks, all ends as the model says.

A few walks are taken with every run of the tests, always the same ones as long as the rules stay
the same. `MCP_OPERATOR_WALKS=1000` takes a thousand others, as happens at night.

A walk that fails is taken again in ever shorter forms, for five minutes at most. The report shows
the shortest as a program, and `@reproduce_failure(…)`: put above the class `Walk`, that takes the
same walk again. The steps are the same then; how far the operator is at each of them is not. What
only fails now and then is reported as flaky: at the end stand the steps of the first walk that
failed, and why. The option `--hypothesis-seed=7` chooses the walks that the variable asks for.
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
"""How many walks are taken; by default few, and always the same."""

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
    """Collects the errors that are logged: an operator that works has none."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


@pytest.fixture
def logged_errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What is complained of. Mere warnings, of every watch that breaks, are not kept."""
    caplog.set_level(logging.ERROR, "mcp_operator")
    handler = ErrorLog()
    logging.getLogger().addHandler(handler)
    yield handler.heard
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
    """Where the walks are taken: an event loop of their own, a proxy, and a user beside it."""
    monkeypatch.setattr(Backoff, "FACTOR", 1.0)  # walks break watches more often than networks do
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
def test_random_walks_end_as_the_model_says(context: WalkContext) -> None:
    Walk.context = context
    try:
        run_state_machine_as_test(Walk, settings=SETTINGS)
    except Exception as error:
        error.add_note(f"The first walk that failed:\n{context.first_failure}")
        raise

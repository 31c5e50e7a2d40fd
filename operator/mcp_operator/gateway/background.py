"""Background tasks that have a name and an owner, and whose failures are never silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from mcp_operator.core.logs import unbound
from mcp_operator.core.tasks import describe

logger = logging.getLogger(__name__)


class TaskSet:
    """Owns tasks that come and go during the owner's lifetime; `close` cancels the remaining ones.

    A failed task is logged with its name and does not affect the others. If a failure must stop
    the owner, use `forever` in an `asyncio.TaskGroup` instead.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Run `work` in the background, and keep the task from being garbage collected.

        Its log lines do not inherit log fields from the caller.
        """
        task = asyncio.get_running_loop().create_task(work, name=name, context=unbound())
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error(
                "A background task failed",
                exc_info=error,
                extra={"task": task.get_name(), "error": describe(error)},
            )

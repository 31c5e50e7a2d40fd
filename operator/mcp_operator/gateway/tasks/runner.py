"""Makes the calls of tasks, and polls the jobs that result from them.

A gateway claims due tasks, so that only one of the gateways that share a Redis works on a task at a
time. A failed poll is repeated. A call or the delivery of answers is never repeated, because the
backend could have processed it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Final, Protocol

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.core.clock import Clock
from mcp_operator.core.logs import unbound
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.contract import (
    Executor,
    InputRequired,
    Job,
    JobUnreachableError,
    ToolResult,
    error_result,
)
from mcp_operator.gateway.protocol.observer import Observer, ToolOutcome
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.tasks.steps import asking_task, call_of, origin_of
from mcp_operator.gateway.tasks.store import (
    MAX_RESULT,
    FullError,
    Store,
    StoreAwayError,
    Stored,
)
from mcp_operator.gateway.tasks.task import INTERNAL_ERROR, Task

log = logging.getLogger(__name__)

LOOKS_AT_A_TIME: Final = 32
"""Jobs that one gateway polls at the same time, in addition to the calls that it makes."""

LOOK_SECONDS: Final = 30.0
"""Time limit for one poll of a job, well below its lease."""

GRACE_SECONDS: Final = 30.0
"""Added to the time limit of a call; after that, another gateway can claim its task."""

BEAT_SECONDS: Final = 1.0
"""Seconds between two checks for due tasks, if other gateways can add tasks. Also the delay before
a retry if there is no place for a call, or if Redis cannot be reached."""

MAX_FAILURES: Final = 10
"""Consecutive failed polls, over several minutes, after which the gateway stops polling."""

MAX_PAUSE: Final = 60.0
"""The longest delay in seconds after a failed poll."""

GONE: Final = "This server no longer has the tool, or the tool has another backend"
LOST: Final = (
    "The gateway that made the call has stopped; it is not known whether the backend acted "
    "on the call"
)
LATE: Final = "The task did not end within the maximum age of tasks of this tool"
TOO_LARGE: Final = (
    "The call succeeded, but its result is too large for a task. Request less, or in parts, if "
    "the tool has an argument for that."
)


class Places(Protocol):
    """The places for calls to backends."""

    def place(self, tool: ToolEntry, client: str) -> AbstractContextManager[object]:
        """Return a place for one call, which is held until the context exits.

        Raises:
            Exception: No place is free, or the client has used up its share.
        """
        ...


Encode = Callable[[ToolEntry, ToolResult], bytes]
"""Encodes a result as clients get it."""


class Runner:
    """Works on the tasks of a store."""

    def __init__(
        self,
        store: Callable[[], Store],
        current: Current,
        executor: Executor,
        places: Places,
        clock: Clock,
        *,
        encoded: Encode,
        observer: Observer,
        shared: Callable[[], bool],
    ) -> None:
        """Set up; the first `wake` starts the work.

        Args:
            store: Returns the current store.
            current: Holds the table in service.
            executor: Calls backends.
            places: Provides places for calls.
            clock: For the age of tasks.
            encoded: Encodes results.
            observer: Records tasks that have ended.
            shared: Tells whether other gateways use the store too.
        """
        self._store = store
        self._current = current
        self._executor = executor
        self._places = places
        self._encoded = encoded
        self._observer = observer
        self._clock = clock
        self._shared = shared
        self._loop: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._draining = False
        self._steps: dict[str, tuple[asyncio.Task[None], Stored]] = {}
        self._dropping = TaskSet()

    @property
    def busy(self) -> int:
        """The number of tasks that this gateway works on now."""
        return len(self._steps)

    def wake(self) -> None:
        """Check for due tasks now."""
        self._wake.set()
        if not self._draining and (self._loop is None or self._loop.done()):
            self._loop = asyncio.create_task(self._run(), name="tasks", context=unbound())
            self._loop.add_done_callback(_log_failure)

    def drain(self) -> None:
        """Stop claiming tasks, and leave jobs to other gateways; calls continue."""
        self._draining = True
        self._wake.set()
        for step, stored in self._steps.values():
            if not stored.task.begun:
                step.cancel()

    async def close(self) -> None:
        """Cancel all work."""
        self.drain()
        running = [step for step, _ in self._steps.values()]
        if self._loop is not None:
            running.append(self._loop)
        for each in running:
            each.cancel()
        if running:
            await asyncio.wait(running)
        await self._dropping.close()

    def interrupt(self, task_id: str) -> None:
        """Stop the work on a task here, because the task was cancelled."""
        if task_id in self._steps:
            self._steps[task_id][0].cancel()

    def drop(self, task: Task) -> None:
        """Tell the backend that nobody needs a job any longer."""
        tool = self._tool(task)
        if tool is not None and task.job is not None:
            work = self._executor.drop(tool, task.job, call_of(task))
            self._dropping.start("drop a job", work)

    async def _run(self) -> None:
        while not self._draining:
            self._wake.clear()
            room = self._current.server.max_concurrent_requests + LOOKS_AT_A_TIME - self.busy
            wait: float | None = BEAT_SECONDS
            try:
                if room > 0:
                    claimed = await self._store().claim(room)
                    wait = claimed.wait
                    for stored in claimed.tasks:
                        self._start(stored)
                await self._give_up_cancelled()
            except StoreAwayError:
                wait = BEAT_SECONDS
            except Exception:  # for example an invalid reply from Redis; the other tasks continue
                log.exception("Cannot claim tasks; retrying")
                wait = BEAT_SECONDS
            if self._shared():
                wait = min(wait or BEAT_SECONDS, BEAT_SECONDS)
            elif wait is None and not self._steps and not self._wake.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _give_up_cancelled(self) -> None:
        """Stop the calls of tasks that were cancelled through another gateway."""
        if not self._shared():
            return
        known = {
            each: stored.revision for each, (_, stored) in self._steps.items() if stored.task.begun
        }
        for task_id in await self._store().changed(known) if known else ():
            found = await self._store().get(task_id)
            if found is None or found.task.status == "cancelled":
                self.interrupt(task_id)

    def _start(self, stored: Stored) -> None:
        task_id = stored.task.id
        step = asyncio.create_task(self._step(stored), name=f"task {task_id}")
        self._steps[task_id] = step, stored

        def done(ended: asyncio.Task[None]) -> None:
            if self._steps.get(task_id, (None,))[0] is ended:
                del self._steps[task_id]
            self._wake.set()
            _log_failure(ended)

        step.add_done_callback(done)

    def _tool(self, task: Task) -> ToolEntry | None:
        """Return the tool of a task, if its backend has not changed since the call."""
        table = self._current.table
        tool = table.tools.get(task.tool) if table else None
        return tool if tool is not None and origin_of(tool) == task.origin else None

    async def _step(self, stored: Stored) -> None:
        """Do the next step of a task that this gateway has claimed."""
        task, tool, now = stored.task, self._tool(stored.task), self._now()
        if task.is_overdue(now):
            if task.job is not None:
                self.drop(task)
            await self._save(stored, task.failed(INTERNAL_ERROR, LATE, now))
        elif task.status == "input_required":
            await self._save(stored, task, task.created + task.max_age - now)
        elif tool is None or tool.task is None:
            await self._save(stored, task.failed(INTERNAL_ERROR, GONE, now))
        elif task.begun:
            await self._save(stored, task.failed(INTERNAL_ERROR, LOST, now))
        elif task.job is None or task.answers or task.state is not None:
            await self._call_once(stored, tool)
        else:
            await self._look(stored, tool, task.job)

    async def _call_once(self, stored: Stored, tool: ToolEntry) -> None:
        """Make the call, or deliver answers, if a place is free."""
        task = stored.task
        with ExitStack() as held:
            try:
                held.enter_context(self._places.place(tool, task.client))
            except Exception:  # noqa: BLE001 - retry later, whatever the reason
                await self._save(stored, task, BEAT_SECONDS)
                return
            seconds = self._current.server.seconds_of(tool.backend)
            begun = task.starting()
            revision = await self._save(stored, begun, seconds + GRACE_SECONDS)
            if revision is None:
                return
            stored = Stored(begun, revision)
            self._steps[task.id] = self._steps[task.id][0], stored
            try:
                outcome = await self._outcome(task, tool)
            except asyncio.CancelledError:
                if self._draining:
                    await self._save(stored, begun.failed(INTERNAL_ERROR, LOST, self._now()))
                raise
        await self._went(stored, tool, outcome)

    async def _outcome(self, task: Task, tool: ToolEntry) -> ToolResult | InputRequired | Job:
        call = call_of(task)
        if task.job is None:
            return await self._executor.call_tool(tool, dict(task.arguments), call)
        try:
            return await self._executor.look_at(tool, task.job, call)
        except JobUnreachableError as error:
            return error_result(f"The backend may not have received the input: {error}")

    async def _look(self, stored: Stored, tool: ToolEntry, job: Job) -> None:
        """Poll a job once."""
        task = stored.task
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                outcome = await self._executor.look_at(tool, job, call_of(task))
        except asyncio.CancelledError:
            if self._draining:
                await self._save(stored, task, 0.0)
            raise
        except (JobUnreachableError, TimeoutError) as error:
            await self._unreachable(stored, tool, error)
            return
        await self._went(stored, tool, outcome)

    async def _unreachable(self, stored: Stored, tool: ToolEntry, error: Exception) -> None:
        task = stored.task
        if task.failures + 1 >= MAX_FAILURES:
            problem = f"The backend did not return the result: {str(error) or 'no answer'}"
            await self._save(stored, task.failed(INTERNAL_ERROR, problem, self._now()))
            return
        asked = error.pause if isinstance(error, JobUnreachableError) else 0.0
        growing = tool.task.poll_seconds * 2**task.failures if tool.task else MAX_PAUSE
        pause = max(asked, min(growing, MAX_PAUSE))
        await self._save(stored, task.unreachable(pause), self._until_next(task, pause))

    async def _went(
        self, stored: Stored, tool: ToolEntry, outcome: ToolResult | InputRequired | Job
    ) -> None:
        """Save the outcome of a call or a poll."""
        task, now = stored.task, self._now()
        if isinstance(outcome, Job):
            accepted = task.accepted(outcome, now)
            await self._save(stored, accepted, self._until_next(accepted, outcome.pause))
        elif isinstance(outcome, InputRequired):
            asking = asking_task(task, outcome, now)
            pause = asking.max_age if asking.asked else BEAT_SECONDS
            await self._save(stored, asking, self._until_next(asking, pause))
        else:
            await self._complete(stored, tool, outcome)

    async def _complete(self, stored: Stored, tool: ToolEntry, result: ToolResult) -> None:
        encoded = self._encoded(tool, result)
        if len(encoded) > MAX_RESULT:
            result = error_result(TOO_LARGE)
            encoded = self._encoded(tool, result)
        done = stored.task.completed(self._now())
        try:
            saved = await self._save(stored, done, result=encoded)
        except FullError as error:
            result = error_result(f"The call succeeded, but its result is lost. {error}.")
            saved = await self._save(stored, done, result=self._encoded(tool, result))
        if saved is not None:
            self.note_end(done, (result.cause or "tool_error") if result.is_error else "ok")

    def note_end(self, task: Task, outcome: ToolOutcome) -> None:
        """Record that a task has ended."""
        seconds = max(0.0, task.updated - task.created)
        self._observer.tool(task.tool, outcome, seconds)
        if task.status in ("completed", "failed", "cancelled"):
            self._observer.task(task.status, seconds)

    async def _save(
        self, stored: Stored, task: Task, due: float = 0.0, result: bytes = b""
    ) -> int | None:
        """Save a version of a task, and retry while the store is unavailable.

        Returns:
            The number of the version; None if another version was saved first, which is kept.
        """
        tries = 0
        while True:
            try:
                saved = await self._store().save(task, stored.revision, due, result)
                if saved is None and tries:  # an earlier try can have worked, without a reply
                    found = await self._store().get(task.id)
                    saved = found.revision if found is not None and found.task == task else None
            except FullError as error:
                if task.status == "completed":
                    raise
                task, due = stored.task.failed(INTERNAL_ERROR, str(error), self._now()), 0.0
            except StoreAwayError as error:
                if tries == 0:
                    log.warning("A task cannot be saved", extra={"error": str(error)})
                tries += 1
                if self._draining or self._now() >= task.expires:
                    return None
                await asyncio.sleep(BEAT_SECONDS)
            else:
                if saved is not None and task.status == "failed":
                    self.note_end(task, "error")
                return saved

    def _until_next(self, task: Task, pause: float) -> float:
        """Return the seconds until the next step of a task, at the latest when it is overdue."""
        return max(0.0, min(pause, task.created + task.max_age - self._now()))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("Work on a task failed", exc_info=error, extra={"task": task.get_name()})

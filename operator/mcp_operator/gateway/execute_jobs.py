"""Polls jobs that a backend has accepted: once, or until they end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace

from mcp_operator.api.catalog import ToolEntry
from mcp_operator.gateway.contract import (
    NO_INPUT,
    Call,
    InputRequired,
    Job,
    JobUnreachableError,
    ToolResult,
    error_result,
)
from mcp_operator.gateway.upstream import jobs
from mcp_operator.gateway.upstream.answer import Answer, clean, status_line
from mcp_operator.gateway.upstream.mapping import Request
from mcp_operator.gateway.upstream.retries import retry_after


class JobExecutor(ABC):
    """The part of an `Executor` that is about jobs."""

    @abstractmethod
    async def _ask(self, tool: ToolEntry, request: Request, call: Call) -> Answer:
        """Send a request about a job.

        Raises:
            JobUnreachableError: There was no usable response.
        """

    @abstractmethod
    async def _result(
        self, tool: ToolEntry, answer: Answer, call: Call, began: float
    ) -> ToolResult | InputRequired:
        """Map a response to the result for the client."""

    @abstractmethod
    def _seconds(self, tool: ToolEntry) -> float:
        """Return how long a call of a tool can take."""

    async def look_at(
        self, tool: ToolEntry, job: Job, call: Call
    ) -> ToolResult | InputRequired | Job:
        """Request the state of a job once, or send it the client's input.

        Raises:
            JobUnreachableError: The backend did not report the state.
        """
        began = asyncio.get_running_loop().time()
        request = jobs.look(tool.backend, job, call.input)
        answer = await self._ask(tool, request, call)
        if answer.status in jobs.BUSY:
            raise JobUnreachableError(f"{status_line(answer)}.", retry_after(answer))
        following = jobs.going_on(tool, job, request, answer)
        return await self._result(tool, answer, call, began) if following is None else following

    async def wait_for(self, tool: ToolEntry, job: Job, call: Call) -> ToolResult:
        """Poll a job until it ends or the call reaches its deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds(tool) if call.deadline is None else call.deadline
        pause, looks = job.pause, 0
        while loop.time() + pause < deadline:
            call.listener.progress(looks, message=job.message)
            looks += 1
            await asyncio.sleep(pause)
            try:
                looking = replace(call, deadline=deadline, input=NO_INPUT)
                found = await self.look_at(tool, job, looking)
            except JobUnreachableError as error:
                pause = max(error.pause, job.pause)
                continue
            if isinstance(found, InputRequired):
                problem = (
                    "The backend needs input, and only a client that supports tasks can provide it."
                )
                return error_result(problem, "error")
            if isinstance(found, ToolResult):
                return found
            job, pause = found, found.pause
        return error_result(
            "The backend accepted the call and is still working on it. Do not repeat the call; "
            f"the result will be at {clean(job.target)}.",
            "timeout",
        )

    async def drop(self, tool: ToolEntry, job: Job, call: Call) -> None:
        """Tell the backend that nobody needs a job any longer; its answer is ignored."""
        with suppress(JobUnreachableError):
            await self._ask(tool, jobs.end(tool.backend, job), call)

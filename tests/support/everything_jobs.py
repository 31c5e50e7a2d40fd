"""The tools with tasks that the official conformance suite requires, and their jobs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from mcp_operator.api.catalog import JsonObject, ResponseMapping, TaskPolicy
from mcp_operator.api.places import RESPONSES_HEADER
from mcp_operator.gateway.upstream.text import RESULT_TYPE
from support.entries import argument, backend, tool

JOB_TOOLS = (
    tool("greet", backend("/jobs/greet", argument("name")), description="Greets."),
    tool(
        "slow_compute",
        backend("/jobs/new", argument("seconds"), argument("label"), method="POST"),
        description="Takes its time.",
        task=TaskPolicy(mode="Auto", poll_seconds=1),
    ),
    tool(
        "failing_job",
        backend("/test_error_handling"),
        description="Fails.",
        task=TaskPolicy(mode="Always"),
    ),
    tool(
        "protocol_error_job",
        backend("/jobs/new", method="POST"),
        description="Never ends.",
        task=TaskPolicy(mode="Always", poll_seconds=1, max_age_seconds=2),
    ),
    tool(
        "confirm_delete",
        backend("/jobs/asking", argument("filename"), method="POST"),
        description="Asks whether to delete.",
        response=ResponseMapping(native=True),
        task=TaskPolicy(mode="Auto", poll_seconds=1),
    ),
    tool(
        "multi_input",
        backend("/jobs/asking/twice", method="POST"),
        description="Asks two questions at once.",
        response=ResponseMapping(native=True),
        task=TaskPolicy(mode="Auto", poll_seconds=1),
    ),
    tool(
        "test_tool_with_task",
        backend("/jobs/named", method="POST"),
        description="Asks for a name, and greets later.",
        response=ResponseMapping(native=True),
        task=TaskPolicy(mode="Auto", poll_seconds=1),
    ),
)

NAME: JsonObject = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "confirm": {"type": "boolean"}},
}


def asking(*questions: str) -> web.Response:
    """Return a response that requests input from the client."""
    requests = {
        question: {
            "method": "elicitation/create",
            "params": {"mode": "form", "message": f"{question}?", "requestedSchema": NAME},
        }
        for question in questions
    }
    result = {"resultType": "input_required", "inputRequests": requests}
    return web.json_response(result, content_type=RESULT_TYPE)


class Jobs:
    """The jobs of the backend, below `/jobs/`."""

    def __init__(self, others: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        """Set up.

        Args:
            others: Handles all other requests.
        """
        self._others = others
        self._ends: dict[str, float] = {}
        self._questions: dict[str, tuple[str, ...]] = {}
        self._texts: dict[str, str] = {}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request."""
        name = request.path.removeprefix("/jobs/")
        if name == request.path:
            return await self._others(request)
        if name == "greet":
            return web.Response(text=f"Hello, {request.query['name']}!")
        if request.method == "DELETE":
            return web.Response(status=204 if self._ends.pop(name, None) else 404)
        if name in {"new", "named", "asking", "asking/twice"}:
            return self._accept(name, request)
        return self._look(name, is_answer=request.method == "POST")

    def _accept(self, kind: str, request: web.BaseRequest) -> web.Response:
        if kind == "new":
            seconds = float(request.query.get("seconds", "600"))
            return self._begin(seconds) if seconds else web.Response(text="Computed at once.")
        if kind == "asking":
            return self._begin(0, ("delete",))
        if kind == "asking/twice":
            return self._begin(0, ("first", "second"))
        answers = json.loads(request.headers.get(RESPONSES_HEADER, "{}"))
        if "user_name" not in answers:
            return asking("user_name")
        return self._begin(1, text=f"Hello, {answers['user_name']['content']['name']}!")

    def _begin(
        self, seconds: float, questions: tuple[str, ...] = (), text: str = "Computed."
    ) -> web.Response:
        name = f"number/{len(self._texts)}"
        self._texts[name], self._questions[name] = text, questions
        self._ends[name] = asyncio.get_running_loop().time() + seconds
        return web.Response(status=202, headers={"location": f"/jobs/{name}"})

    def _look(self, name: str, *, is_answer: bool) -> web.Response:
        if is_answer:
            self._questions[name] = ()
        if self._questions.get(name):
            return asking(*self._questions[name])
        if name not in self._ends:
            return web.Response(status=404, text="There is no such job.")
        if asyncio.get_running_loop().time() < self._ends[name]:
            return web.json_response({"statusMessage": "Still computing"}, status=202)
        return web.Response(text=self._texts[name])

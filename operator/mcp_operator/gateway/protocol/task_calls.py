"""The extension `io.modelcontextprotocol/tasks` of 2026-07-28: its methods, and calls as tasks.

The server decides whether a call becomes a task, but only if the client declares the extension with
the call. Other clients get the result itself, or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject, ToolEntry
from mcp_operator.gateway.contract import Call, Job
from mcp_operator.gateway.limits.limiter import Limiter
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.gate import Gate
from mcp_operator.gateway.protocol.jsonrpc import RequestId, RpcError, notification
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.view import View
from mcp_operator.gateway.shares import digest_of
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.tasks.service import Tasks, UnknownTaskError
from mcp_operator.gateway.tasks.store import FullError, StoreAwayError
from mcp_operator.gateway.tasks.task import Task
from mcp_operator.gateway.tasks.watch import Listener

NOT_KEPT: Final = "This server runs in several processes, and needs a Redis to store tasks"

MAX_LISTENED: Final = 100
"""Tasks that one stream can report."""

METHODS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})


def declares(capabilities: Mapping[str, Any]) -> bool:
    """Tell whether a request's capabilities declare support for tasks."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, dict) and isinstance(extensions.get(spec.TASKS), dict)


def require_declared(capabilities: Mapping[str, Any], what: str) -> None:
    """Reject a client that does not declare support for tasks.

    Args:
        capabilities: The capabilities that the request declares.
        what: What needs the support, for the error message.

    Raises:
        RpcError: The client does not declare support for tasks.
    """
    if not declares(capabilities):
        raise RpcError(
            spec.MISSING_CAPABILITY,
            f"{what} needs a client that declares the extension {spec.TASKS}",
            data={"requiredCapabilities": {"extensions": {spec.TASKS: {}}}},
            status=400,
        )


class TaskCalls:
    """Creates tasks for calls, and handles the methods for tasks."""

    def __init__(self, tasks: Tasks, current: Current, limiter: Limiter) -> None:
        """Set up.

        Args:
            tasks: The tasks of the server.
            current: Holds the table in service.
            limiter: Limits how often each client requests tasks.
        """
        self._tasks = tasks
        self._current = current
        self._limiter = limiter

    def may_begin(self, tool: ToolEntry, call: Call) -> bool:
        """Tell whether a call can become a task; if so, its backend can accept it as a job.

        Raises:
            RpcError: The call must become a task, but the client or the server does not support
                it, or Redis cannot be reached.
        """
        if tool.task is None:
            return False
        always = tool.task.mode == "Always"
        if always:
            require_declared(call.capabilities, f"{tool.name} responds with a task, which")
        if not declares(call.capabilities):
            return False
        if not self._tasks.are_offered:
            if always:
                raise RpcError(spec.INTERNAL_ERROR, NOT_KEPT)
            return False
        settings = self._current.server.redis
        closed = settings is not None and settings.failure_mode == "Closed"
        if closed and self._tasks.is_away:
            raise _away()
        return True

    async def begun(
        self, tool: ToolEntry, arguments: JsonObject, call: Call, principal: Principal
    ) -> JsonObject:
        """Create a task for a call right away.

        Raises:
            RpcError: There are too many tasks, or the task cannot be stored.
        """
        with _explained():
            return self._created(await self._tasks.begin(tool, arguments, call, principal), call)

    async def adopted(
        self,
        tool: ToolEntry,
        arguments: JsonObject,
        job: Job,
        call: Call,
        principal: Principal,
    ) -> JsonObject | None:
        """Create a task for a call that its backend accepted; None if it cannot be stored."""
        try:
            task = await self._tasks.adopt(tool, arguments, job, call, principal)
        except (FullError, StoreAwayError):
            return None
        return self._created(task, call)

    def _created(self, task: JsonObject, call: Call) -> JsonObject:
        self._note(call.client, task)
        return {**task, "resultType": "task"}

    def _note(self, digest: str, shown: JsonObject) -> None:
        self._limiter.note_interval(digest, shown["taskId"], shown["pollIntervalMs"] / 1000)

    async def listen(
        self, task_ids: Sequence[str], http: HttpRequest, params: JsonObject, view: View
    ) -> Listener:
        """Watch the given tasks, as far as they belong to the client and there are free places.

        Args:
            task_ids: The ids.
            http: The request for a stream.
            params: Its parameters.
            view: What is served to the client.

        Raises:
            RpcError: The client does not declare support for tasks, or tasks cannot be read.
        """
        require_declared(_declared(params), "subscriptions/listen for tasks")
        with _explained():
            found = await self._tasks.found(task_ids, http.principal)
        shown = [stored for stored in found if _is_served(stored.task, view)]
        return self._tasks.watch.listen(shown, http.client)

    def feed(
        self,
        http: HttpRequest,
        request_id: RequestId,
        listener: Listener,
        view: Callable[[], View],
    ) -> TaskFeed:
        """Return the notifications about tasks for a stream.

        Args:
            http: The request for the stream.
            request_id: Its id.
            listener: Watches the tasks.
            view: Returns what is served to the client at that time.
        """
        return TaskFeed(self._tasks, http.principal, request_id, listener, view)

    async def serve(
        self, method: str, params: JsonObject, view: View, http: HttpRequest
    ) -> JsonObject:
        """Handle one of `METHODS`.

        Raises:
            RpcError: The client does not declare support for tasks, it has no such task, or tasks
                cannot be read.
            LimitedError: The client exceeds its limit.
        """
        require_declared(_declared(params), method)
        task_id, responses = params.get("taskId"), params.get("inputResponses")
        if method == "tasks/update" and not isinstance(responses, dict):
            raise RpcError(spec.INVALID_PARAMS, "`params.inputResponses` must be an object")
        principal = http.principal
        if method == "tasks/get":
            await self._limiter.count_poll(http.client, task_id)
        else:
            await self._limiter.count_for_task(http.client)
        with _explained():
            task, shown = await self._tasks.get(task_id, principal)
            if not _is_served(task, view):
                raise UnknownTaskError
            if method == "tasks/get":
                self._note(digest_of(http.client), shown)
                return shown
            if method == "tasks/update" and isinstance(responses, dict):
                await self._tasks.update(task_id, responses, principal)
            else:
                await self._tasks.cancel(task_id, principal)
        return {}


class TaskFeed:  # a `Feed`
    """Sends `notifications/tasks` on one stream."""

    def __init__(
        self,
        tasks: Tasks,
        principal: Principal,
        request_id: RequestId,
        listener: Listener,
        view: Callable[[], View],
    ) -> None:
        self._tasks = tasks
        self._view = view
        self._principal = principal
        self._meta = {"_meta": {spec.SUBSCRIPTION_META: request_id}}
        self._listener = listener

    async def message(self, name: str) -> bytes | None:
        """Return the notification of a task's current state; None if the client cannot see it."""
        try:
            task, shown = await self._tasks.get(name, self._principal)
            if not _is_served(task, self._view()):
                return None
        except (UnknownTaskError, StoreAwayError, RpcError, Refusal):
            return None
        return notification("notifications/tasks", shown | self._meta)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


class Places:
    """The places that calls of tasks share with all other calls."""

    def __init__(self, current: Current, gate: Gate, limiter: Limiter) -> None:
        """Set up.

        Args:
            current: Holds the settings.
            gate: Limits the calls in total and per client.
            limiter: Limits the calls of each tool.
        """
        self._current = current
        self._gate = gate
        self._limiter = limiter

    @contextmanager
    def place(self, tool: ToolEntry, client: str) -> Iterator[None]:
        """Hold a place for one call.

        Raises:
            RpcError: No place is free, or the client has used up its share.
            LimitedError: The tool has reached its limit of concurrent calls.
        """
        server = self._current.server
        each = server.max_concurrent_requests_per_client
        with (
            self._gate.enter(server.max_concurrent_requests, client, each),
            self._limiter.place_of(tool.name),
        ):
            yield


def _declared(params: JsonObject) -> Mapping[str, Any]:
    """Return the capabilities of a request whose envelope was checked."""
    declared: Mapping[str, Any] = params["_meta"][spec.CAPABILITIES_META]
    return declared


def _is_served(task: Task, view: View) -> bool:
    """Tell whether a client can see a task: not if its tool is hidden from the client."""
    return task.tool in view.table.tools or task.tool not in view.whole.tools


def _away() -> RpcError:
    problem = "This server cannot store tasks now; try again"
    return RpcError(spec.OVERLOADED, problem, status=503, retry_after=1)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the errors of tasks into JSON-RPC errors."""
    try:
        yield
    except UnknownTaskError as error:
        raise RpcError(spec.INVALID_PARAMS, str(error)) from None
    except FullError as error:
        raise RpcError(spec.OVERLOADED, str(error), status=429, retry_after=5) from None
    except StoreAwayError:
        raise _away() from None

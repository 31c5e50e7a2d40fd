"""The extension `io.modelcontextprotocol/tasks` of 2026-07-28: its methods, and calls as tasks.

Whether a call becomes a task is the server's choice, as far as the client declares the extension
with the call; a client that does not gets the result itself, or is refused.
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
"""Tasks that one stream tells of."""

METHODS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})


def declares(capabilities: Mapping[str, Any]) -> bool:
    """Tell whether a client takes tasks, by the capabilities that it declares with a request."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, dict) and isinstance(extensions.get(spec.TASKS), dict)


def require_declared(capabilities: Mapping[str, Any], what: str) -> None:
    """Refuse a client that does not take tasks.

    Args:
        capabilities: What it declares with the request.
        what: What needs them.

    Raises:
        RpcError: It does not.
    """
    if not declares(capabilities):
        raise RpcError(
            spec.MISSING_CAPABILITY,
            f"{what} needs a client that declares the extension {spec.TASKS}",
            data={"requiredCapabilities": {"extensions": {spec.TASKS: {}}}},
            status=400,
        )


class TaskCalls:
    """Makes tasks of calls, and serves the methods of tasks."""

    def __init__(self, tasks: Tasks, current: Current, limiter: Limiter) -> None:
        """Set up.

        Args:
            tasks: The tasks of the server.
            current: Holds the table in service.
            limiter: Bounds how often each client asks for tasks.
        """
        self._tasks = tasks
        self._current = current
        self._limiter = limiter

    def may_begin(self, tool: ToolEntry, call: Call) -> bool:
        """Tell whether a call may become a task; if so, its backend may go on as a job.

        Raises:
            RpcError: It must become one, or might have to, and cannot.
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
        """Make a task of a call at once.

        Raises:
            RpcError: There is no room for it, or it cannot be kept.
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
        """Make a task of a call that its backend has accepted; None where that cannot be kept."""
        try:
            task = await self._tasks.adopt(tool, arguments, job, call, principal)
        except (FullError, StoreAwayError):
            return None
        return self._created(task, call)

    def _created(self, task: JsonObject, call: Call) -> JsonObject:
        self._note(call.client, task)
        return {**task, "resultType": "task"}

    def _note(self, client: str, shown: JsonObject) -> None:
        """Note how often a client is asked to look at a task that it is shown."""
        if self._limiter.plan is not None:
            self._limiter.polls.told(client, shown["taskId"], shown["pollIntervalMs"] / 1000)

    async def listen(
        self, task_ids: Sequence[str], http: HttpRequest, params: JsonObject, view: View
    ) -> Listener:
        """Watch the tasks that a client has of those that it names, as far as there are places.

        Args:
            task_ids: The ids.
            http: The request for a stream.
            params: Its parameters.
            view: What the client is served.

        Raises:
            RpcError: The client does not take tasks, or nobody can tell.
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
        """Return what a stream tells of tasks.

        Args:
            http: The request for the stream.
            request_id: Its id.
            listener: Watches the tasks.
            view: Returns what the client is served now.
        """
        return TaskFeed(self._tasks, http.principal, request_id, listener, view)

    async def serve(
        self, method: str, params: JsonObject, view: View, http: HttpRequest
    ) -> JsonObject:
        """Serve one of `METHODS`.

        Raises:
            RpcError: The client does not take tasks, there is no such task for it, or nobody can
                tell.
            LimitedError: The client asks more often than it may.
        """
        require_declared(_declared(params), method)
        task_id, responses = params.get("taskId"), params.get("inputResponses")
        if method == "tasks/update" and not isinstance(responses, dict):
            raise RpcError(spec.INVALID_PARAMS, "`params.inputResponses` must be an object")
        client, principal = digest_of(http.client), http.principal
        if method != "tasks/get" or not self._limiter.polls.take(client, task_id):
            await self._limiter.count_for_task(http.client)
        with _explained():
            task, shown = await self._tasks.get(task_id, principal)
            if not _is_served(task, view):
                raise UnknownTaskError
            if method == "tasks/get":
                self._note(client, shown)
                return shown
            if method == "tasks/update" and isinstance(responses, dict):
                await self._tasks.update(task_id, responses, principal)
            else:
                await self._tasks.cancel(task_id, principal)
        return {}


class TaskFeed:  # a `Feed`
    """Tells one stream of tasks (`notifications/tasks`)."""

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
        """Return the notification of a task as it is now; None where the client has none."""
        try:
            task, shown = await self._tasks.get(name, self._principal)
            if not _is_served(task, self._view()):
                return None
        except (UnknownTaskError, StoreAwayError, RpcError, Refusal):
            return None
        return notification("notifications/tasks", shown | self._meta)

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


class Places:
    """The places that calls of tasks take among all others."""

    def __init__(self, current: Current, gate: Gate, limiter: Limiter) -> None:
        """Set up.

        Args:
            current: Holds the settings.
            gate: Bounds the calls of all, and of each client.
            limiter: Bounds the calls of each tool.
        """
        self._current = current
        self._gate = gate
        self._limiter = limiter

    @contextmanager
    def place(self, tool: ToolEntry, client: str) -> Iterator[None]:
        """Hold a place for one call.

        Raises:
            RpcError: There is none now, or this client has its share.
            LimitedError: As many calls of the tool are under way as may be.
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
    """Tell whether a client may know of a task: what it may not call, it has no results of."""
    return task.tool in view.table.tools or task.tool not in view.whole.tools


def _away() -> RpcError:
    problem = "This server cannot store tasks now; try again"
    return RpcError(spec.OVERLOADED, problem, status=503, retry_after=1)


@contextmanager
def _explained() -> Iterator[None]:
    """Answer what tasks may meet with JSON-RPC errors."""
    try:
        yield
    except UnknownTaskError as error:
        raise RpcError(spec.INVALID_PARAMS, str(error)) from None
    except FullError as error:
        raise RpcError(spec.OVERLOADED, str(error), status=429, retry_after=5) from None
    except StoreAwayError:
        raise _away() from None

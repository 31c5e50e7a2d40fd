"""Requests to the client of a legacy session, on the stream of the call that needs the answers.

The client posts its answers as separate messages (2025-11-25, basic/transports). Each request has
an id that cannot be guessed, and only the session that it was sent to can answer it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.contract import ClientInput, InputRequired
from mcp_operator.gateway.protocol import capabilities, jsonrpc, spec
from mcp_operator.gateway.protocol.answers import Questions, RequestError
from mcp_operator.gateway.protocol.channel import Channel
from mcp_operator.gateway.protocol.core import Core, Span
from mcp_operator.gateway.protocol.jsonrpc import MAX_ID, Reply, RpcError
from mcp_operator.gateway.protocol.operations import Context, told_error
from mcp_operator.gateway.protocol.relay import Asked, Relay
from mcp_operator.gateway.protocol.sessions import Session
from mcp_operator.gateway.shares import Shares
from mcp_operator.gateway.upstream.answer import clean

ASK_SECONDS: Final = 600.0
"""How long a user has to answer."""

MAX_ROUNDS: Final = 10
"""How many times one call can ask its client."""

MAX_ASKING: Final = 1000
"""Calls that can wait for answers at the same time; each has an open client connection."""

MAX_ANSWERS: Final = 64 * 1024 * 1024
"""Bytes of answers that are held until the other answers of their call arrive."""

LOOK_SECONDS: Final = 0.2
"""Seconds between two checks for answers that reached other gateways."""

MAX_REFUSAL: Final = 200
"""Characters that are kept of a client's reason for a refusal."""


class AskError(OperatorError):
    """The client could not be asked or did not answer. Its message follows "cannot continue: "."""


def questions_of(required: InputRequired) -> Questions:
    """Return the requests that a call needs, checked.

    Raises:
        AskError: MCP does not allow one of them.
    """
    try:
        return Questions(required.requests)
    except RequestError as error:
        raise AskError(
            f"it requests something from the client that MCP does not allow: {error}"
        ) from error


def not_asked(method: str, context: Context, error: AskError) -> JsonObject:
    """Return the result of a call that cannot continue without the client's answers.

    Raises:
        RpcError: The results of this method cannot contain errors.
    """
    problem = f"{context.params.get('name')} cannot continue: {error}"
    if method == "tools/call":
        return told_error(problem)
    raise RpcError(spec.INVALID_PARAMS, problem)


class Asking:
    """The requests of this process to which clients have not answered yet."""

    def __init__(self, relay: Relay) -> None:
        """Set up.

        Args:
            relay: Exchanges answers with the other gateways of the server.
        """
        self._calls: set[_Call] = set()
        self._requests: dict[Asked, tuple[_Call, str]] = {}
        self._relay = relay
        self._tasks = TaskSet()
        self._shares = Shares(MAX_ASKING)
        self._held = Shares(MAX_ANSWERS)
        self._closed = False

    @property
    def waiting(self) -> int:
        """The number of calls that wait for answers."""
        return len(self._calls)

    @property
    def held(self) -> int:
        """Bytes of answers that are held."""
        return self._held.held

    async def result(
        self, core: Core, span: Span, session: Session, context: Context
    ) -> JsonObject:
        """Run an operation, and ask its client for input whenever the operation needs it.

        Args:
            core: Runs the operation.
            span: Measures the request, without the time that the client takes to answer.
            session: The session of the client.
            context: The input of the operation.

        Raises:
            RpcError: The operation refuses, or cannot continue and its results cannot contain
                errors.
        """
        method, clock = span.method, asyncio.get_running_loop().time
        for _ in range(MAX_ROUNDS):
            result = await core.operate(method, context)
            if not isinstance(result, InputRequired):
                return result
            began = clock()
            try:
                answers = await self._answers(session, context, result)
            except AskError as error:
                return not_asked(method, context, error)
            finally:
                span.waited += clock() - began
            context = context._replace(input=ClientInput(answers, result.state))
        return not_asked(
            method, context, AskError(f"it requests input more than {MAX_ROUNDS} times")
        )

    async def _answers(
        self, session: Session, context: Context, required: InputRequired
    ) -> Mapping[str, JsonObject]:
        questions = questions_of(required)
        if not required.requests:
            raise AskError("it asks to be called again, which this version of MCP does not support")
        missing = capabilities.needed(required.requests) & ~session.capabilities
        if missing:
            raise AskError(f"it {capabilities.lacks(missing)}")
        given = await self.ask(session.id, context.http.client, context.channel, required.requests)
        answers, wrong = questions.answers(given)
        if wrong:
            key, problem = next(iter(wrong.items()))
            raise AskError(f"the client's response to {key!r} is not valid: {problem}")
        return answers

    async def ask(
        self, session: str, client: str, channel: Channel, requests: Mapping[str, JsonObject]
    ) -> Mapping[str, Any]:
        """Send requests, and return the client's results, not validated.

        Args:
            session: The id of the session that can answer.
            client: The client whose share the waiting call and its answers count towards.
            channel: Sends messages to the client.
            requests: The requests, by the keys of the results.

        Raises:
            AskError: The client cannot be asked, refuses, or does not answer in time.
        """
        if self._closed:
            raise AskError("this server is stopping; repeat the call")
        if not channel.can_tell:
            raise AskError(
                "the client does not accept text/event-stream, which requests to it need"
            )
        if not self._shares.take(client):
            raise AskError("too many calls wait for responses of clients; call again later")
        call = _Call(session, client, channel, {key: secrets.token_urlsafe(16) for key in requests})
        self._calls.add(call)
        asked = {key: Asked(session, request_id) for key, request_id in call.ids.items()}
        self._requests |= {one: (call, key) for key, one in asked.items()}
        try:
            if self._relay.link is not None:
                await self._relay.expect(asked.values(), ASK_SECONDS)
                if not self._tasks:
                    self._tasks.start("look for answers", self._look())
            for key, request in requests.items():
                channel.send(_request(call.ids[key], request))
            async with asyncio.timeout(ASK_SECONDS):
                return await call.answered
        except TimeoutError:
            call.withdraw("the client did not respond in time")
            raise AskError("the client did not respond in time") from None
        except asyncio.CancelledError:
            call.withdraw("the call was cancelled")
            raise
        finally:
            self._calls.discard(call)
            for one in asked.values():
                self._requests.pop(one, None)
            self._held.give_back(client, call.held)
            self._shares.give_back(client)

    async def posted(self, session: str, reply: Reply, size: int) -> None:
        """Handle an answer that a client posted; drop it if its session has no such request.

        Args:
            session: The id of the session that it was posted in.
            reply: The answer.
            size: Its size in bytes.
        """
        if not isinstance(reply.id, str) or len(reply.id) > MAX_ID:
            return  # not an id of ours
        asked = Asked(session, reply.id)
        if asked in self._requests:
            self._take(asked, reply, size)
        else:
            await self._relay.put(asked, reply, size)

    async def _look(self) -> None:
        """Collect answers that reached other gateways, while any request is open."""
        while self._requests:
            await asyncio.sleep(LOOK_SECONDS)
            for asked, reply, size in await self._relay.take(tuple(self._requests)):
                self._take(asked, reply, size)

    def _take(self, asked: Asked, reply: Reply, size: int) -> None:
        found = self._requests.pop(asked, None)
        if found is None:
            return
        call, key = found
        call.open.discard(asked.id)
        if reply.error is not None:
            call.fail(_refusal(reply.error))
        elif not self._held.take(call.client, size):
            call.fail("the client's responses are too large to be stored; call again later")
        else:
            call.held += size
            call.take(key, reply.result)

    def hang_up(self, channel: Channel) -> None:
        """Fail the calls of a disconnected client, because it would not see their results."""
        for call in [call for call in self._calls if call.channel is channel]:
            call.fail("the client disconnected")

    def end(self, session: str) -> None:
        """Fail the calls of a session that has ended."""
        for call in [call for call in self._calls if call.session == session]:
            call.fail("the session has ended")

    async def close(self) -> None:
        """Stop collecting answers."""
        await self._tasks.close()

    def stop(self) -> None:
        """Fail all waiting calls, and refuse new ones."""
        self._closed = True
        for call in self._calls:
            call.fail("this server is stopping; repeat the call")


class _Call:
    """A call that waits for its client's answers."""

    def __init__(self, session: str, client: str, channel: Channel, ids: Mapping[str, str]) -> None:
        self.session = session
        self.client = client
        self.channel = channel
        self.ids = ids
        self.open = set(ids.values())
        """Ids of the requests without an answer."""
        self.held = 0
        self.answered: asyncio.Future[Mapping[str, Any]] = (
            asyncio.get_running_loop().create_future()
        )
        self._results: dict[str, Any] = {}

    def take(self, key: str, result: Any) -> None:
        """Store a result; the last one resumes the call."""
        self._results[key] = result
        if len(self._results) == len(self.ids) and not self.answered.done():
            self.answered.set_result(self._results)

    def fail(self, problem: str) -> None:
        """Resume the call without answers, and withdraw its open requests."""
        if not self.answered.done():
            self.answered.set_exception(AskError(problem))
            self.withdraw("the call has ended")

    def withdraw(self, reason: str) -> None:
        """Tell the client that its answers to the open requests are no longer needed."""
        for request_id in self.open:
            params = {"requestId": request_id, "reason": reason}
            self.channel.send(jsonrpc.notification("notifications/cancelled", params))
        self.open.clear()


def _refusal(error: Any) -> str:
    """Return the reason that a client gave for a refusal."""
    said = error.get("message") if isinstance(error, dict) else None
    text = clean(said)[:MAX_REFUSAL].strip() if isinstance(said, str) else ""
    return f"the client refused to answer: {text}" if text else "the client refused to answer"


def _request(request_id: str, request: JsonObject) -> bytes:
    message: JsonObject = {"jsonrpc": "2.0", "id": request_id, "method": request["method"]}
    if "params" in request:
        message["params"] = request["params"]
    return jsonrpc.encode(message)

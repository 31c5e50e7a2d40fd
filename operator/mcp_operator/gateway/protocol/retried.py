"""Asking the client in 2026-07-28: a call ends with what is asked, and is sent again with answers.

Source: basic/patterns/mrtr. The gateway remembers in `requestState` what was asked, so that answers
are checked before a backend sees them. Answers that come without one are those to what the backend
asks when it is called: a client that kept them need not wait for the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import NO_INPUT, ClientInput, InputRequired
from mcp_operator.gateway.protocol import capabilities, spec
from mcp_operator.gateway.protocol.asking import AskError, questions_of
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.operations import Context
from mcp_operator.gateway.protocol.request_state import (
    RequestStates,
    StateTooLargeError,
    binding,
)
from mcp_operator.gateway.worker import off_loop


class Retried:
    """One request, which may be the retry of one that asked."""

    __slots__ = ("_context", "_given", "_method", "_states")

    def __init__(self, states: RequestStates, method: str, context: Context) -> None:
        """Take in a request.

        Raises:
            RpcError: Its answers are not an object.
        """
        self._states = states
        self._method = method
        self._context = context
        self._given: Mapping[str, Any] = context.params.get("inputResponses", {})
        if not isinstance(self._given, dict):
            raise RpcError(spec.INVALID_PARAMS, "`params.inputResponses` must be an object")

    async def first(self) -> ClientInput | JsonObject:
        """Return what the call begins with; a result where the client is to be asked again.

        Raises:
            RpcError: The state is none that was given for this call.
        """
        token = self._context.params.get("requestState")
        if token is None:
            return NO_INPUT
        asked = self._states.open(token, await self._binding())
        answers, _ = questions_of(asked).answers(self._given)
        if answers.keys() == asked.requests.keys():
            return ClientInput(answers, asked.state)
        return _asking(asked.requests, token)

    def in_advance(self, required: InputRequired) -> ClientInput | None:
        """Return the client's answers to what is asked now, if it sent them without being asked.

        Raises:
            AskError: What is asked is nothing that MCP allows.
        """
        if not required.requests or "requestState" in self._context.params:
            return None
        answers, _ = questions_of(required).answers(self._given)
        same = answers.keys() == required.requests.keys()
        return ClientInput(answers, required.state) if same else None

    async def asks(self, required: InputRequired) -> JsonObject:
        """Return the result that asks the client.

        Raises:
            AskError: What is asked is nothing that MCP allows, or too much.
            RpcError: The client does not declare that it can be asked for that.
        """
        questions_of(required)
        has = capabilities.declared(self._context.capabilities)
        missing = capabilities.needed(required.requests) & ~has
        if missing:
            raise capabilities.refusal(str(self._context.params.get("name")), missing)
        try:
            token = self._states.seal(required, await self._binding())
        except StateTooLargeError as error:
            raise AskError(f"its request to the client is too large: {error}") from error
        return _asking(required.requests, token)

    async def _binding(self) -> bytes:
        context = self._context
        server, principal = context.view.table.catalog.server, context.http.principal
        return await off_loop(
            len(context.http.body),
            binding,
            server=f"{server.namespace}/{server.name} {server.uid}",
            client=f"{principal.issuer}\n{principal.name}" if principal.name else "",
            method=self._method,
            name=str(context.params.get("name")),
            arguments=context.params.get("arguments"),
        )


def _asking(requests: Mapping[str, JsonObject], token: str | None) -> JsonObject:
    result: JsonObject = {"resultType": "input_required"}
    if requests:
        result["inputRequests"] = dict(requests)
    if token is not None:
        result["requestState"] = token
    return result

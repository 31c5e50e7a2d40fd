"""Input from the client in 2026-07-28: a call ends with requests, and is retried with answers.

Source: basic/patterns/mrtr. The gateway stores the requests in `requestState`, so that it can
validate the answers before a backend gets them. Answers without a state are for the requests that
the backend sends when it is called. So a client that kept its answers saves a round trip.
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
    """A request that can be the retry of an earlier one that needed input."""

    __slots__ = ("_context", "_given", "_method", "_states")

    def __init__(self, states: RequestStates, method: str, context: Context) -> None:
        """Take a request.

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
        """Return the input for the call, or a result that asks the client again.

        Raises:
            RpcError: The state is not valid for this call.
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
        """Return the client's answers to these requests, if it already sent them with the call.

        Raises:
            AskError: MCP does not allow one of the requests.
        """
        if not required.requests or "requestState" in self._context.params:
            return None
        answers, _ = questions_of(required).answers(self._given)
        same = answers.keys() == required.requests.keys()
        return ClientInput(answers, required.state) if same else None

    async def asks(self, required: InputRequired) -> JsonObject:
        """Return the result that asks the client for input.

        Raises:
            AskError: MCP does not allow one of the requests, or they are too large.
            RpcError: The client does not declare a capability that they need.
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

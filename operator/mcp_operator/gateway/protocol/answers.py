"""Validates a client's answers to requests from the server: elicitation, sampling, roots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.protocol.capabilities import ELICIT, LIST_ROOTS, SAMPLE
from mcp_operator.gateway.protocol.forms import Form, FormError

MAX_REQUESTS: Final = 32
"""Requests that a client can get at once."""

_BLOCKS: Final = ("text", "image", "audio", "tool_use", "tool_result")


class RequestError(OperatorError):
    """MCP does not allow this request to the client; the message says why."""


class Questions:
    """Requests to a client, and the checks of its answers."""

    def __init__(self, requests: Mapping[str, JsonObject]) -> None:
        """Check and take the requests.

        Raises:
            RequestError: There are too many requests, or MCP does not allow one of them.
        """
        if len(requests) > MAX_REQUESTS:
            raise RequestError(f"more than {MAX_REQUESTS} requests to the client at a time")
        self.requests = requests
        self._forms: dict[str, Form] = {}
        for key, request in requests.items():
            self._check(key, request)

    def _check(self, key: str, request: JsonObject) -> None:
        method, params = request.get("method"), request.get("params", {})
        if method not in (ELICIT, SAMPLE, LIST_ROOTS):
            raise RequestError(f"the request {key!r} has no method that clients serve")
        if not isinstance(params, dict):
            raise RequestError(f"`params` of the request {key!r} must be an object")
        if method == SAMPLE and not isinstance(params.get("messages"), list):
            raise RequestError(f"`params.messages` of the request {key!r} must be a list")
        if method != ELICIT:
            return
        if not isinstance(params.get("message"), str):
            raise RequestError(f"`params.message` of the request {key!r} must be a string")
        if params.get("mode", "form") == "form":
            try:
                self._forms[key] = Form(params.get("requestedSchema"))
            except FormError as error:
                raise RequestError(f"the request {key!r}: {error}") from error
        elif params["mode"] != "url" or not isinstance(params.get("url"), str):
            raise RequestError(f"the request {key!r} is neither a form nor a URL")

    def answers(self, given: Mapping[str, Any]) -> tuple[dict[str, JsonObject], dict[str, str]]:
        """Validate the answers of a client.

        Args:
            given: Results, by the keys of the requests; other keys are ignored.

        Returns:
            The valid answers, and what is wrong with the others, both by key. A request without an
            answer is in neither.
        """
        right: dict[str, JsonObject] = {}
        wrong: dict[str, str] = {}
        for key in self.requests.keys() & given.keys():
            answer, problem = self._answer(key, given[key])
            if problem:
                wrong[key] = problem
            else:
                right[key] = answer
        return right, wrong

    def _answer(self, key: str, answer: Any) -> tuple[JsonObject, str]:
        if not isinstance(answer, dict):
            return {}, "it must be an object"
        match self.requests[key]["method"]:
            case "elicitation/create":
                return self._elicited(key, answer)
            case "sampling/createMessage":
                return answer, _wrong_sample(answer)
            case _:
                return answer, _wrong_roots(answer)

    def _elicited(self, key: str, answer: JsonObject) -> tuple[JsonObject, str]:
        action = answer.get("action")
        if action not in ("accept", "decline", "cancel"):
            return {}, "`action` must be accept, decline or cancel"
        form = self._forms.get(key)
        if action != "accept" or form is None:
            return {"action": action}, ""
        content, problems = form.filled_in(answer.get("content"))
        return {"action": action, "content": content}, "; ".join(problems)


def _wrong_sample(answer: JsonObject) -> str:
    """Say what is wrong with a `CreateMessageResult`."""
    if answer.get("role") not in ("user", "assistant"):
        return "`role` must be user or assistant"
    if not isinstance(answer.get("model"), str):
        return "`model` must be a string"
    content = answer.get("content")
    blocks = content if isinstance(content, list) else [content]
    if not all(isinstance(block, dict) and block.get("type") in _BLOCKS for block in blocks):
        return f"`content` must be blocks of the types {', '.join(_BLOCKS)}"
    return ""


def _wrong_roots(answer: JsonObject) -> str:
    """Say what is wrong with a `ListRootsResult`."""
    roots = answer.get("roots")
    if not isinstance(roots, list):
        return "`roots` must be a list"
    for root in roots:
        uri = root.get("uri") if isinstance(root, dict) else None
        if not isinstance(uri, str) or not uri.startswith("file://"):
            return "each of `roots` must have a `uri` that begins with file://"
    return ""

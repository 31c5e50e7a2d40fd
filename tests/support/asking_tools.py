"""Tools of the conformance suite whose backends send requests to the client."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from aiohttp import web

from mcp_operator.api.catalog import JsonObject, ResponseMapping, ToolEntry
from mcp_operator.api.prompts import PromptVariable
from support.entries import argument, backend, prompt, tool
from support.native_tools import RESULT_TYPE, text


def elicit(message: str, fields: JsonObject, required: list[str] | None = None) -> JsonObject:
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(fields) if required is None else required,
    }
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


def sample(said: str, most: int = 100) -> JsonObject:
    message = {"role": "user", "content": {"type": "text", "text": said}}
    return {
        "method": "sampling/createMessage",
        "params": {"messages": [message], "maxTokens": most},
    }


def ask(requests: JsonObject, state: str | None = None) -> JsonObject:
    asks: JsonObject = {"resultType": "input_required", "inputRequests": requests}
    return asks | ({"requestState": state} if state is not None else {})


class CallInput:
    """What a backend gets in addition to the arguments."""

    def __init__(self, request: web.BaseRequest) -> None:
        headers = request.headers
        self.query: Mapping[str, str] = request.query
        self.can: JsonObject = json.loads(headers["Mcp-Client-Capabilities"])
        self.answers: JsonObject = json.loads(headers.get("Mcp-Input-Responses", "{}"))
        self.state = headers.get("Mcp-Request-State")


STRING = {"type": "string"}
ROOTS: JsonObject = {"method": "roots/list", "params": {}}
USER_NAME = elicit("What is your name?", {"name": STRING})
CONFIRM = elicit("Please confirm", {"ok": {"type": "boolean"}})

DEFAULTS = elicit(
    "Please review",
    {
        "name": STRING | {"default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": STRING | {"enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
    [],
)
_TITLED = [{"const": f"value{n}", "title": f"Option {n}"} for n in (1, 2, 3)]
_OPTIONS = ["option1", "option2", "option3"]
ENUMS = elicit(
    "Please choose",
    {
        "untitledSingle": STRING | {"enum": _OPTIONS},
        "titledSingle": STRING | {"oneOf": _TITLED},
        "legacyEnum": STRING | {"enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]},
        "untitledMulti": {"type": "array", "items": STRING | {"enum": _OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
    },
    [],
)


def _elicited(answer: JsonObject) -> JsonObject:
    said = f"action={answer['action']}, content={json.dumps(answer.get('content', {}))}"
    return text(f"Elicitation completed: {said}")


def _rounds(given: CallInput) -> JsonObject:
    match given.state:
        case None:
            step1 = elicit("Step 1: What is your name?", {"name": STRING})
            return ask({"step1": step1}, "round-1")
        case "round-1":
            step2 = elicit("Step 2: What is your favorite color?", {"color": STRING})
            return ask({"step2": step2}, "round-2")
        case _:
            return text("Done in three rounds.")


def _able(given: CallInput) -> JsonObject:
    requests = {"elicitation": USER_NAME, "sampling": sample("Write a greeting.")}
    return ask({name: request for name, request in requests.items() if name in given.can})


def _once(requests: JsonObject, state: str | None = None, done: Any = None) -> _Script:
    """Return a tool that sends requests once, and ends with the responses."""

    def script(given: CallInput) -> JsonObject:
        if not given.answers:
            return ask(requests, state)
        assert given.state == state
        if callable(done):
            result: JsonObject = done(given)
            return result
        return text(done or json.dumps(given.answers))

    return script


_Script: TypeAlias = Callable[[CallInput], JsonObject]
_MULTIPLE = {"user_name": USER_NAME, "greeting": sample("Generate a greeting", 50), "roots": ROOTS}


def _sampling(given: CallInput) -> JsonObject:
    if "llm" not in given.answers:
        return ask({"llm": sample(given.query["prompt"])})
    return text(f"LLM response: {given.answers['llm']['content']['text']}")


def _elicitation(given: CallInput) -> JsonObject:
    fields = {"username": STRING, "email": STRING}
    if "user" not in given.answers:
        return ask({"user": elicit(given.query["message"], fields)})
    return text(f"User response: {json.dumps(given.answers['user'])}")


_RESULT = "test_input_required_result"
SCRIPTS: Mapping[str, _Script] = {
    f"{_RESULT}_elicitation": _once({"user_name": USER_NAME}),
    f"{_RESULT}_sampling": _once({"capital_question": sample("What is the capital of France?")}),
    f"{_RESULT}_list_roots": _once({"client_roots": ROOTS}),
    f"{_RESULT}_request_state": _once({"confirm": CONFIRM}, "opaque", "state-ok"),
    f"{_RESULT}_tampered_state": _once({"confirm": CONFIRM}, "opaque"),
    f"{_RESULT}_multiple_inputs": _once(_MULTIPLE, "all"),
    f"{_RESULT}_multi_round": _rounds,
    f"{_RESULT}_capabilities": _able,
    "test_streaming_elicitation": _once({"user_name": USER_NAME}),
    "test_sampling": _sampling,
    "test_elicitation": _elicitation,
    "test_elicitation_sep1034_defaults": _once(
        {"user": DEFAULTS}, done=lambda given: _elicited(given.answers["user"])
    ),
    "test_elicitation_sep1330_enums": _once(
        {"user": ENUMS}, done=lambda given: _elicited(given.answers["user"])
    ),
}
_ARGUMENTS = {"test_sampling": "prompt", "test_elicitation": "message"}


def _tool(name: str) -> ToolEntry:
    taken = [_ARGUMENTS[name]] if name in _ARGUMENTS else []
    return tool(
        name,
        backend(f"/ask/{name}", *map(argument, taken)),
        description="Asks the client.",
        input_schema={
            "type": "object",
            "properties": dict.fromkeys(taken, STRING),
            "required": taken,
        },
        response=ResponseMapping(native=True),
    )


ASKING_TOOLS = (
    *map(_tool, SCRIPTS),
    tool(
        "test_missing_capability",
        backend("/test_simple_text"),
        description="Needs a client whose model can be asked.",
        required_client_capabilities=("Sampling",),
    ),
)

ASKING_PROMPT = prompt(
    "Consider {{context}}.",
    name="test_input_required_result_prompt",
    description="Asks the user for its context.",
    variables=(PromptVariable(name="context", required=True, elicit=True),),
)


def answer_asking(request: web.BaseRequest) -> web.StreamResponse | None:
    """Respond as the backend of one of these tools; return None for any other."""
    script = SCRIPTS.get(request.path.removeprefix("/ask/"))
    if script is None:
        return None
    return web.json_response(script(CallInput(request)), content_type=RESULT_TYPE)

"""The operations that both eras share: call, get, read, complete.

Each returns a result as a JSON object, without the members that the modern era always adds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mcp_operator.api.catalog import Backend, JsonObject, ResourceEntry, ToolEntry
from mcp_operator.api.uritemplates import Variables
from mcp_operator.gateway import exact, prompts
from mcp_operator.gateway.contract import (
    MISSING,
    NO_INPUT,
    TRACE_KEYS,
    Call,
    ClientInput,
    Executor,
    InputRequired,
    Job,
    ResourceUnavailable,
    ToolResult,
)
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.protocol import capabilities, describe, spec
from mcp_operator.gateway.protocol.capabilities import Capability
from mcp_operator.gateway.protocol.channel import Channel
from mcp_operator.gateway.protocol.envelope import check_parameters
from mcp_operator.gateway.protocol.jsonrpc import RpcError, encode
from mcp_operator.gateway.protocol.message import HttpRequest
from mcp_operator.gateway.protocol.observer import Observer, ToolOutcome
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.protocol.task_calls import TaskCalls
from mcp_operator.gateway.protocol.view import View
from mcp_operator.gateway.shares import digest_of
from mcp_operator.gateway.table import Kind, Table
from mcp_operator.gateway.worker import off_loop


class Context(NamedTuple):
    """The input of an operation.

    Attributes:
        view: The view of the table that was in service when the request arrived; it never changes.
        http: The HTTP request that carried it.
        params: The request's parameters.
        channel: Sends messages to the client before the response.
        capabilities: The capabilities that the client declares (`ClientCapabilities`).
        input: The client's answers to an earlier request of this operation.
        trace: The trace context of this request's span; empty if no traces are recorded.
    """

    view: View
    http: HttpRequest
    params: JsonObject
    channel: Channel
    capabilities: JsonObject
    input: ClientInput = NO_INPUT
    trace: Mapping[str, str] = MappingProxyType({})

    def call(self, backend: Backend | None = None) -> Call:
        """Describe this request to the executor, with the deadline for `backend`."""
        seconds = self.view.table.catalog.server.seconds_of(backend)
        deadline = asyncio.get_running_loop().time() + seconds
        http = self.http
        meta = self.params.get("_meta")
        if not isinstance(meta, dict):
            meta = {}
        return Call(
            http.headers,
            deadline=deadline,
            trace=self.trace or _trace(meta if "traceparent" in meta else http.headers),
            client=digest_of(http.client),
            listener=self.channel,
            capabilities=self.capabilities,
            input=self.input,
        )


def _trace(said: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the trace context in the `_meta` of a message or in HTTP headers."""
    return {key: value for key in TRACE_KEYS if isinstance(value := said.get(key), str)}


class Operations:
    """Runs operations against an executor."""

    def __init__(self, executor: Executor, observer: Observer, tasks: TaskCalls) -> None:
        self._executor = executor
        self._observer = observer
        self._tasks = tasks

    async def call_tool(self, context: Context) -> JsonObject | InputRequired:
        """Handle `tools/call`.

        Raises:
            RpcError: The tool is unknown, the parameters are malformed, a header differs, or the
                client lacks a capability that the tool requires.
            Refusal: The token lacks a scope.
        """
        view, table = context.view, context.view.table
        tool = table.tools.get(_text(context.params, "name"))
        if tool is None:
            name = context.params["name"]
            hidden = name if name in view.whole.tools else None
            _require_scope(view, context.http.principal, "tools", hidden)
            raise RpcError(spec.INVALID_PARAMS, f"Unknown tool: {name}")
        missing = _lacking(tool, context)
        if missing and view.era is Era.LEGACY:
            return told_error(f"{tool.name} {capabilities.lacks(missing)}")
        if missing:
            raise capabilities.refusal(tool.name, missing)
        arguments = _arguments(context.params)
        rules = view.header_rules.get(tool.name)
        if rules:
            check_parameters(context.http, rules, arguments)
        size = len(context.http.body)
        arguments, errors = await off_loop(size, table.checked_arguments, tool.name, arguments)
        if errors:
            self._observer.tool(tool.name, "invalid_arguments", 0.0)
            return _argument_result(tool, errors)
        return await self._call_or_begin(tool, arguments, context)

    async def _call_or_begin(
        self, tool: ToolEntry, arguments: JsonObject, context: Context
    ) -> JsonObject | InputRequired:
        """Call a tool, or create a task for the call."""
        call, principal = context.call(tool.backend), context.http.principal
        if context.view.era is Era.LEGACY and tool.task and tool.task.mode == "Always":
            return told_error(
                f"{tool.name} responds with a task, and this client does not support tasks."
            )
        if self._tasks.may_begin(tool, call):
            if tool.task and tool.task.mode == "Always":
                return await self._tasks.begun(tool, arguments, call, principal)
            call.takes_jobs = True
        result = await self._call(tool, arguments, call, principal)
        if isinstance(result, dict | InputRequired):
            return result
        return _tool_result(context.view.era, tool, result)

    async def _call(
        self, tool: ToolEntry, arguments: JsonObject, call: Call, principal: Principal
    ) -> ToolResult | InputRequired | JsonObject:
        """Call a tool. If its backend accepts a job, create a task, or wait if that fails."""
        clock = asyncio.get_running_loop().time
        start = clock()
        outcome: ToolOutcome | None = "cancelled"
        try:
            result = await self._executor.call_tool(tool, arguments, call)
            if isinstance(result, Job):
                task = await self._tasks.adopted(tool, arguments, result, call, principal)
                if task is not None:
                    outcome = None  # the call is counted when the task ends
                    return task
                result = await self._executor.wait_for(tool, result, call)
            outcome = "ok"
            if isinstance(result, ToolResult) and result.is_error:
                outcome = result.cause or "tool_error"
        except Exception:
            outcome = "error"
            raise
        finally:
            if outcome is not None:
                self._observer.tool(tool.name, outcome, clock() - start)
        return result

    async def get_prompt(self, context: Context) -> JsonObject | InputRequired:
        """Handle `prompts/get`.

        Raises:
            RpcError: The prompt is unknown, an argument is not valid, or a resource to embed cannot
                be read.
        """
        view = context.view
        prompt = view.table.prompts.get(_text(context.params, "name"))
        if prompt is None:
            name = context.params["name"]
            hidden = name if name in view.whole.prompts else None
            _require_scope(view, context.http.principal, "prompts", hidden)
            raise RpcError(spec.INVALID_PARAMS, f"Unknown prompt: {name}")
        arguments = _arguments(context.params)
        if to_ask := prompts.to_ask(prompt, arguments):
            answer = context.input.responses.get(prompts.ASKED)
            if answer is None and Capability.FORMS in capabilities.declared(context.capabilities):
                return InputRequired({prompts.ASKED: prompts.form(prompt, to_ask)})
            arguments = prompts.filled_in(answer, to_ask) | arguments
        try:
            rendered = prompts.render(prompt, arguments)
        except prompts.PromptArgumentError as error:
            raise RpcError(spec.INVALID_PARAMS, f"Prompt {prompt.name}: {error}") from error
        messages: list[JsonObject] = []
        for message in rendered:
            if message.content is not None:
                content = [message.content]
            else:
                contents, _ = await self._read(context, message.resource_uri)
                content = [{"type": "resource", "resource": item} for item in contents]
            messages += ({"role": message.role, "content": block} for block in content)
        result: JsonObject = {"messages": messages}
        return {"description": prompt.description} | result if prompt.description else result

    async def read_resource(self, context: Context) -> JsonObject:
        """Handle `resources/read`.

        Raises:
            RpcError: The resource is unknown, or its content cannot be read.
        """
        contents, call = await self._read(context, _text(context.params, "uri"))
        result: JsonObject = {"contents": list(contents)}
        if context.view.era is Era.MODERN:
            scope = "public" if call.is_public else "private"
            result |= {"ttlMs": int(call.fresh_seconds * 1000), "cacheScope": scope}
        return result

    async def _read(self, context: Context, uri: str) -> tuple[tuple[JsonObject, ...], Call]:
        """Return the content of a resource, and the call, which knows how long it stays fresh."""
        entry, variables = find_resource(context.view, context.http.principal, uri)
        call = context.call(entry.backend)
        try:
            return await self._executor.read_resource(entry, uri, variables, call), call
        except ResourceUnavailable as error:
            raise RpcError(spec.INTERNAL_ERROR, str(error), data={"uri": uri}) from error

    async def complete(self, context: Context) -> JsonObject:
        """Handle `completion/complete`.

        Raises:
            RpcError: The reference or the argument is unknown.
        """
        table = context.view.table
        ref, argument = _object(context.params, "ref"), _object(context.params, "argument")
        name, typed = _text(argument, "name", "argument."), _text(argument, "value", "argument.")
        try:
            match ref.get("type"):
                case "ref/prompt" if prompt := table.prompts.get(_text(ref, "name", "ref.")):
                    completion = prompts.complete_prompt(prompt, name, typed)
                case "ref/resource" if entry := _referred(table, ref):
                    completion = prompts.complete_resource(entry, name, typed)
                case _:
                    raise RpcError(spec.INVALID_PARAMS, "`ref` is neither a prompt nor a resource")
        except prompts.PromptArgumentError as error:
            raise RpcError(spec.INVALID_PARAMS, str(error)) from error
        return {"completion": completion}


def find_resource(view: View, principal: Principal, uri: str) -> tuple[ResourceEntry, Variables]:
    """Return the resource for a URI, to read or subscribe to, and the variables in the URI.

    Raises:
        RpcError: The client is not served such a resource.
        Refusal: With another scope, the client would be.
    """
    found = view.table.match(uri)
    if found is None:
        hidden = view.whole.match(uri)
        name = hidden[0].uri or hidden[0].uri_template if hidden else None
        _require_scope(view, principal, "resources", name)
        code = spec.INVALID_PARAMS if view.era is Era.MODERN else spec.LEGACY_RESOURCE_NOT_FOUND
        raise RpcError(code, f"Resource not found: {uri}", data={"uri": uri})
    return found


def _require_scope(view: View, principal: Principal, kind: Kind, name: str | None) -> None:
    """Tell a client which scope it lacks for an entry that is hidden from it.

    If no scope would help, the entry does not exist for this client.

    Raises:
        Refusal: A scope would help.
    """
    scopes = view.lacking_scopes(principal, kind, name) if name else ()
    if scopes:
        raise Refusal("forbidden", "The token lacks a scope that this operation requires", scopes)


def _referred(table: Table, ref: JsonObject) -> ResourceEntry | None:
    """Return the resource that a reference names by its URI template or by a URI."""
    uri = _text(ref, "uri", "ref.")
    for entry in table.templates:
        if entry.uri_template == uri:
            return entry
    found = table.match(uri)
    return found[0] if found else None


def _argument_result(tool: ToolEntry, errors: list[str]) -> JsonObject:
    """Tell the model what to correct (SEP-1303: in a result, because models do not see errors)."""
    lead = f"The arguments do not match the input schema of {tool.name}; nothing was called."
    return told_error("\n".join([lead, *(f"- {error}" for error in errors)]))


def told_error(text: str) -> JsonObject:
    """Return a tool's result that tells a model what went wrong."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _lacking(tool: ToolEntry, context: Context) -> Capability:
    """Return the capabilities that a tool requires and the client does not declare."""
    if not tool.required_client_capabilities:
        return capabilities.NOTHING
    required = capabilities.named(tool.required_client_capabilities)
    return required & ~capabilities.declared(context.capabilities)


def encoded_result(tool: ToolEntry, result: ToolResult) -> bytes:
    """Return the result of a task in the form for clients of 2026-07-28."""
    return encode(_tool_result(Era.MODERN, tool, result))


def _tool_result(era: Era, tool: ToolEntry, result: ToolResult) -> JsonObject:
    answer: JsonObject = {"content": list(result.content)}
    if result.structured is not MISSING:
        structured = result.structured
        wrapped = era is Era.LEGACY and _is_wrapped(tool, structured)
        answer["structuredContent"] = {describe.WRAPPED: structured} if wrapped else structured
    if result.is_error:
        answer["isError"] = True
    if result.meta:
        answer["_meta"] = result.meta
    return answer


def _is_wrapped(tool: ToolEntry, structured: Any) -> bool:
    if tool.output_schema is not None:
        return describe.is_wrapped(tool.output_schema)
    if isinstance(structured, exact.Encoded):
        return not structured.is_object
    return not isinstance(structured, dict)


def _arguments(params: JsonObject) -> JsonObject:
    arguments = params.get("arguments")
    if arguments is None:
        return {}
    return _object(params, "arguments")


def _object(params: JsonObject, key: str) -> JsonObject:
    value = params.get(key)
    if not isinstance(value, dict):
        raise RpcError(spec.INVALID_PARAMS, f"`params.{key}` must be an object")
    return value


def _text(params: JsonObject, key: str, prefix: str = "") -> str:
    value = params.get(key)
    if not isinstance(value, str):
        raise RpcError(spec.INVALID_PARAMS, f"`params.{prefix}{key}` must be a string")
    return value

"""Compiles an MCPTool: each definition becomes a catalog entry, or a finding that says why not."""

from __future__ import annotations

from collections.abc import Iterator

from mcp_operator.api.catalog import (
    JsonObject,
    ResponseMapping,
    RetryPolicy,
    SourceRef,
    TaskPolicy,
    ToolEntry,
)
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.jsonschema import SchemaCostError, SchemaError, check
from mcp_operator.api.patterns import mebibytes
from mcp_operator.api.reasons import Reason
from mcp_operator.api.schema_hints import schema_hints
from mcp_operator.api.v1alpha1 import MCPTool
from mcp_operator.api.v1alpha1.mcptool import ToolDefinition
from mcp_operator.api.v1alpha1.retries import Retries
from mcp_operator.builders.check_texts import hidden_in
from mcp_operator.builders.compile_arguments import Placing, input_schema, place_arguments
from mcp_operator.builders.compile_cache import compile_cache
from mcp_operator.builders.compile_http import (
    HttpCall,
    Referrer,
    compile_backend,
    http_references,
    union,
)
from mcp_operator.builders.compile_icons import compile_icons
from mcp_operator.builders.compile_limits import compile_limit
from mcp_operator.builders.compile_response import compile_response
from mcp_operator.builders.compiled import (
    Compiled,
    FaultError,
    Finding,
    InvalidError,
    remark,
)
from mcp_operator.builders.references import Facts, References
from mcp_operator.core.meta import Key

MAX_PATTERNS_COST = 32 * 1024 * 1024
"""The limit for the `pattern`s of all tools of one object together, in bytes of a gateway's memory.
It is enough for 128 tools with ten ordinary patterns each."""


def tool_definitions(tool: MCPTool) -> tuple[ToolDefinition, ...]:
    """Return the tools that an object declares, with everything inherited filled in.

    Raises:
        InvalidError: The object has a form that this release does not know, such as a newer CRD's.
    """
    if tool.spec.name is None and not tool.spec.tools:
        raise InvalidError(Reason.INVALID, "spec sets neither name nor tools: set one of them")
    definitions = tool.spec.definitions
    if any(one.service is None and one.external is None for one in definitions):
        raise InvalidError(
            Reason.INVALID, "spec.service is missing: set it, or set it on every entry of tools"
        )
    return definitions


def tool_references(tool: MCPTool) -> References:
    """Return everything that the enabled definitions refer to.

    Raises:
        InvalidError: The object has a form that this release does not know.
    """
    return union(
        http_references(_call(definition, Placing()), tool.namespace)
        for definition in tool_definitions(tool)
        if definition.enabled
    )


def compile_tool(tool: MCPTool, facts: Facts) -> Compiled:
    """Compile every enabled definition; a faulty one is left out and reported.

    Raises:
        InvalidError: The object has a form that this release does not know.
    """
    entries, findings = [], []
    referrer = Referrer("MCPTool", tool.namespace, facts)
    budget = _Budget()
    definitions = tool_definitions(tool)
    for definition in definitions:
        if not definition.enabled:
            continue
        try:
            entries.append(_entry(definition, tool, referrer, budget))
        except FaultError as error:
            findings.append(_located(error.finding, definition, tool))
        else:
            findings += [_located(hint, definition, tool) for hint in _hints(definition)]
    if not any(definition.enabled for definition in definitions):
        findings.append(_disabled(tool))
    elif any(_ingress_paths(tool)):
        findings.append(
            remark(
                Reason.INGRESS_PATH_IGNORED,
                "ingressPath has no effect: clients call every tool at the server's one endpoint",
            )
        )
    return Compiled(
        "MCPTool",
        Key(tool.namespace, tool.name),
        tool.metadata.get("creationTimestamp", ""),
        tuple(entries),
        tuple(findings),
    )


def _hints(definition: ToolDefinition) -> Iterator[Finding]:
    annotations = definition.annotations
    yield from hidden_in(
        {
            "title": definition.title,
            "description": definition.description,
            "inputSchema": definition.input_schema,
            "outputSchema": definition.output_schema,
            "annotations.title": annotations.title if annotations else None,
        }
    )
    schemas = {"inputSchema": definition.input_schema, "outputSchema": definition.output_schema}
    for field, schema in schemas.items():
        for pointer, hint in schema_hints(schema or {}):
            yield remark(Reason.ACCEPTED, f"{field}: #{pointer}: {hint}")


def _disabled(tool: MCPTool) -> Finding:
    where = "of every entry of tools" if tool.spec.enabled else ""
    message = " ".join(filter(None, ("enabled", where, "is false")))
    return remark(Reason.DISABLED, message)


def _ingress_paths(tool: MCPTool) -> list[str | None]:
    return [tool.spec.ingress_path, *(entry.ingress_path for entry in tool.spec.tools)]


def _located(finding: Finding, definition: ToolDefinition, tool: MCPTool) -> Finding:
    """In the list form, say which entry a finding is about."""
    if not tool.spec.tools:
        return finding
    message = f"tools[{definition.name}]: {finding.message}"
    return Finding(finding.condition, finding.reason, message, finding.blocking)


class _Budget:
    """Limits the total cost of the patterns of one object."""

    def __init__(self) -> None:
        self._spent = 0

    def spend(self, cost: int) -> None:
        """Add the cost of the schemas of another tool.

        Raises:
            InvalidError: It is more than is left. Other tools can still use what is left.
        """
        if self._spent + cost > MAX_PATTERNS_COST:
            raise InvalidError(
                Reason.SCHEMA_TOO_COMPLEX,
                "the patterns of this tool and of the tools before it would take "
                f"{mebibytes(self._spent + cost)} when compiled, and at most "
                f"{mebibytes(MAX_PATTERNS_COST)} are allowed: split the tools into several objects",
            )
        self._spent += cost


def _entry(
    definition: ToolDefinition, tool: MCPTool, referrer: Referrer, budget: _Budget
) -> ToolEntry:
    schema = input_schema(definition)
    cost = _compile(schema, "inputSchema")
    if definition.output_schema is not None:
        cost += _compile(definition.output_schema, "outputSchema")
    budget.spend(cost)
    backend = compile_backend(_call(definition, place_arguments(definition, schema)), referrer)
    response = definition.response
    annotations = definition.annotations
    return ToolEntry(
        name=definition.name,
        title=definition.title or "",
        description=definition.description,
        icons=compile_icons(definition.icons),
        input_schema=schema,
        output_schema=definition.output_schema,
        annotations=annotations.model_dump(by_alias=True, exclude_none=True) if annotations else {},
        backend=backend,
        response=compile_response(response) if response else ResponseMapping(),
        retries=_retries(definition.retries) if definition.retries else None,
        task=_task(definition),
        rate_limit=compile_limit(definition.rate_limit),
        max_concurrent_requests=definition.max_concurrent_requests,
        required_client_capabilities=definition.required_client_capabilities,
        cache=compile_cache(definition.cache),
        source=SourceRef(kind="MCPTool", namespace=tool.namespace, name=tool.name),
    )


def _call(definition: ToolDefinition, placing: Placing) -> HttpCall:
    request, response = definition.request, definition.response
    if request is None or response is None:
        raise AssertionError("tool_definitions() fills in request and response")
    return HttpCall(
        service=definition.service,
        external=definition.external,
        path=definition.path or "/",
        method=definition.method or "POST",
        arguments=placing.arguments,
        rest=placing.rest,
        request=request,
        timeout=definition.timeout,
        max_bytes=response.max_bytes,
    )


def _retries(given: Retries) -> RetryPolicy:
    return RetryPolicy(
        attempts=given.attempts,
        on=given.retry_on,
        backoff_seconds=parse_duration(given.backoff),
    )


def _task(definition: ToolDefinition) -> TaskPolicy | None:
    given, request = definition.task, definition.request
    if given is None or given.mode == "Never":
        return None
    if request is not None and request.allow_credential_forwarding:
        raise InvalidError(
            Reason.INVALID,
            "request.allowCredentialForwarding: a task continues without its client, and the "
            "gateway does not store its credentials: use request.credentials, or remove task",
        )
    if definition.cache is not None:
        raise InvalidError(
            Reason.INVALID,
            "cache, task: an answer from the cache is not work in progress; remove cache or task",
        )
    durations = {"poll_seconds": given.poll_interval, "max_age_seconds": given.max_age}
    seconds = {name: parse_duration(text) for name, text in durations.items() if text}
    return TaskPolicy(mode=given.mode, **seconds)


def _compile(schema: JsonObject, where: str) -> int:
    """Check a schema, and return the cost of its patterns."""
    if schema.get("type") != "object" and where == "inputSchema":
        raise InvalidError(
            Reason.INVALID_SCHEMA, f'{where}: the root must have type: "object", as MCP requires'
        )
    try:
        return check(schema)
    except SchemaCostError as error:
        raise InvalidError(Reason.SCHEMA_TOO_COMPLEX, f"{where}: {error}") from error
    except SchemaError as error:
        raise InvalidError(Reason.INVALID_SCHEMA, f"{where}: {error}") from error

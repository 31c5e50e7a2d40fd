"""Converts one operation to one tool: its arguments, its request and its texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.importers import openapi3
from mcp_operator.importers.arguments import Argument, Arguments, body_arguments, in_order
from mcp_operator.importers.bodies import Bodies, BodyPlan
from mcp_operator.importers.documents import Dialect, Documents, Located, OpenApiError
from mcp_operator.importers.linking import Linker
from mcp_operator.importers.losses import Loss
from mcp_operator.importers.names import argument_names
from mcp_operator.importers.operations import Body, Operation
from mcp_operator.importers.paths import described_path, places, with_names
from mcp_operator.importers.schemas import Schemas
from mcp_operator.importers.security import Access
from mcp_operator.importers.texts import cleaned, in_one_line, sentences, shortened
from mcp_operator.importers.vocabulary import (
    BODYLESS,
    IN_QUERY,
    MAX_DESCRIPTION,
    MAX_MAPPINGS,
    MAX_TITLE,
    UNSUPPORTED,
    Placed,
    hints,
    mapping,
)

_SINGLE: Final = frozenset({"boolean", "integer", "null", "number", "string"})

_Names = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool without its name, its credentials and its backend.

    Attributes:
        operation: The operation that it calls.
        path: The path, with the names of arguments in its places.
        query: Constants of the query.
        mappings: The entries of request.arguments.
        whole: The argument that is the whole body; empty if the body has fields.
        content_type: The media type of the body; empty if there is none.
        input_schema: The schema of the arguments; None without arguments.
        output_schema: The schema of the result; None if there is none.
        access: How it authenticates.
        notes: What a reviewer should know.
        losses: What the document's schemas say and the tool's do not.
    """

    operation: Operation
    path: str
    query: Sequence[tuple[str, str]]
    mappings: Sequence[JsonObject]
    whole: str
    content_type: str
    input_schema: JsonObject | None
    output_schema: JsonObject | None
    access: Access
    notes: tuple[str, ...]
    losses: tuple[Loss, ...]

    @property
    def texts(self) -> JsonObject:
        """The title, description and hints of the tool."""
        node = self.operation.place.mapping
        summary = in_one_line(node.get("summary"))
        deprecated = "Deprecated." if node.get("deprecated") is True else ""
        text = sentences(deprecated, summary, cleaned(node.get("description")))
        title = shortened(summary.rstrip("."), MAX_TITLE)
        result: JsonObject = {"title": title} if title else {}
        result["description"] = shortened(text or self.operation.label, MAX_DESCRIPTION)
        told = hints(self.operation.method)
        return result | ({"annotations": told} if told else {})


class ToolMaker:
    """Converts the operations of one document to tools."""

    def __init__(self, documents: Documents, *, max_bytes: int, output_schemas: bool) -> None:
        """Set up.

        Args:
            documents: The document, and those it refers to.
            max_bytes: The size limit of a tool's schema, as JSON.
            output_schemas: Whether tools get output schemas.
        """
        self._documents = documents
        self._schemas = Schemas(documents, "request")
        self._linker = Linker(self._schemas.definitions, max_bytes)
        self._arguments = Arguments(documents, self._schemas, self._linker)
        self._bodies = Bodies(self._schemas, self._linker)
        self._results = Schemas(documents, "response") if output_schemas else None
        self._result_linker = Linker(self._results.definitions if self._results else {}, max_bytes)

    def make(self, operation: Operation) -> Tool:
        """Return the tool that calls an operation.

        Raises:
            OpenApiError: A tool cannot call it; the text says why.
            SchemaError: Its schemas cannot be used.
        """
        if operation.method in UNSUPPORTED:
            raise OpenApiError(UNSUPPORTED[operation.method])
        self._linker.reset()
        notes: list[str] = []
        access = self._arguments.access(operation)
        notes += [
            f"the security scheme {one} is {why}, so the tool has no credentials"
            for one, why in access.unsupported
        ]
        path, query = described_path(operation)
        body, outside = self._arguments.read(operation, access, notes)
        outside = in_order(places(path), outside, notes)
        plan = self._plan(operation, body, notes)
        arguments = [*outside, *body_arguments(plan)]
        names, mappings = self._named(operation, arguments)
        if len(mappings) > MAX_MAPPINGS and body and plan and plan.fields:
            plan = self._bodies.plan(body, as_whole=True)
            arguments = [*outside, *body_arguments(plan)]
            names, mappings = self._named(operation, arguments)
        if len(mappings) > MAX_MAPPINGS:
            raise OpenApiError(
                f"more than {MAX_MAPPINGS} of its arguments need an entry in request.arguments, "
                "which is the limit of an MCPTool"
            )
        output_schema = self._output_schema(operation, notes)
        return Tool(
            operation=operation,
            path=with_names(path, names),
            query=query,
            mappings=mappings,
            whole=next((names["body", one.field.name] for one in arguments if one.is_whole), ""),
            content_type=plan.content_type if plan else "",
            input_schema=self._input_schema(arguments, names, plan, notes),
            output_schema=output_schema,
            access=access,
            notes=tuple(dict.fromkeys(notes)),
            losses=self._losses(operation, arguments, has_result=output_schema is not None),
        )

    def _losses(
        self, operation: Operation, arguments: Sequence[Argument], *, has_result: bool
    ) -> tuple[Loss, ...]:
        losses = [*self._schemas.losses.of(one.part for one in arguments)]
        result = _result(self._documents, operation) if has_result else None
        if self._results and result:
            losses += self._results.losses.of([result.key])
        return tuple(dict.fromkeys(losses))

    def _plan(self, operation: Operation, body: Body | None, notes: list[str]) -> BodyPlan | None:
        if body is None:
            return None
        if operation.method in BODYLESS:
            notes.append(f"a {operation.method} request has no body, so the body is left out")
            return None
        as_whole = operation.method in IN_QUERY and not body.required
        plan = self._bodies.plan(body, as_whole=as_whole)
        notes += plan.notes
        return plan

    def _named(
        self, operation: Operation, arguments: Sequence[Argument]
    ) -> tuple[_Names, list[JsonObject]]:
        """Return the names of the arguments, and the entries for those that need one."""
        names = argument_names((one.location, one.field.name) for one in arguments)
        placed = (
            self._placed(one, names[one.location, one.field.name])
            for one in arguments
            if not one.is_whole
        )
        entries = (mapping(one, operation.method) for one in placed)
        return names, [entry for entry in entries if entry]

    def _placed(self, argument: Argument, name: str) -> Placed:
        field = argument.field
        types = self._linker.opened(field.schema).get("type", [])
        types = [types] if isinstance(types, str) else types
        return Placed(
            name,
            argument.location,
            name if argument.location == "path" else field.name,
            field.style,
            field.explode,
            field.reserved,
            field.content_type,
            is_single=bool(types) and _SINGLE.issuperset(types),
        )

    def _input_schema(
        self,
        arguments: Sequence[Argument],
        names: _Names,
        plan: BodyPlan | None,
        notes: list[str],
    ) -> JsonObject | None:
        if not arguments:
            return None
        named = {names[one.location, one.field.name]: one.field for one in arguments}
        schema: JsonObject = {
            "type": "object",
            "properties": {
                name: self._arguments.without_default(field.schema) for name, field in named.items()
            },
        }
        required = [name for name, field in named.items() if field.required]
        if required:
            schema["required"] = required
        if plan and plan.others is not None:
            schema["additionalProperties"] = plan.others
        return _linked(self._linker, schema, "arguments", notes)

    def _output_schema(self, operation: Operation, notes: list[str]) -> JsonObject | None:
        if self._results is None:
            return None
        try:
            part = _result(self._documents, operation)
        except OpenApiError as error:
            notes.append(f"the response {error}, so the tool has no outputSchema")
            return None
        if part is None:
            return None
        linker = self._result_linker
        linker.reset()
        schema = linker.opened(self._results.translate(part))
        if schema.get("type") != "object":
            notes.append("the result is not an object, so the tool has no outputSchema")
            return None
        return _linked(linker, schema, "result", notes)


def _linked(linker: Linker, schema: JsonObject, what: str, notes: list[str]) -> JsonObject:
    linked = linker.link(schema)
    if linked.loss:
        notes.append(f"the schema of the {what} is too large, so {linked.loss}")
    return linked.schema


def _result(documents: Documents, operation: Operation) -> Located | None:
    """Return the schema of a successful response in JSON; None if there is none."""
    responses = operation.place.at("responses")
    codes = sorted(str(code) for code in responses.mapping)
    good = [code for code in codes if code.startswith("2")]
    for code in good or [code for code in codes if code == "default"]:
        part = documents.resolved(responses.at(code))
        if documents.dialect is Dialect.SWAGGER_2 and isinstance(part.at("schema").node, dict):
            return part.at("schema")
        for name, content in part.entries("content"):
            if openapi3.media_type(name).endswith("json"):
                return content.at("schema")
    return None

"""The parameters of an operation, its body, and which of them become arguments of a tool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.places import NOT_FOR_ARGUMENTS
from mcp_operator.importers import openapi3, swagger
from mcp_operator.importers.bodies import BodyPlan, Field
from mcp_operator.importers.dialect import CUT, MAX_TEXT
from mcp_operator.importers.documents import Dialect, Documents, Located, OpenApiError
from mcp_operator.importers.linking import Linker
from mcp_operator.importers.names import is_target
from mcp_operator.importers.operations import Body, Operation, Parameter, parameters
from mcp_operator.importers.paths import holds_slashes
from mcp_operator.importers.schemas import Schemas
from mcp_operator.importers.security import Access, Security, looks_secret
from mcp_operator.importers.texts import cleaned, sentences, shortened
from mcp_operator.importers.vocabulary import has_style

_NOT_FOR_ARGUMENTS: Final = NOT_FOR_ARGUMENTS | {"accept"}
"""Headers that are not parameters. OpenAPI 3.1 describes Accept, Content-Type and Authorization
elsewhere, and the others frame the message."""

_MAX_DEFAULT: Final = 200


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool, before it has a name.

    Attributes:
        location: `path`, `query`, `header`, `cookie` or `body`.
        field: Its name at that location, its schema, and how it is written.
        part: The key of the part of the document that declares it.
        is_whole: Whether it is the whole body.
    """

    location: str
    field: Field
    part: str = ""
    is_whole: bool = False


class Arguments:
    """Reads the parameters and bodies of the operations of one document."""

    def __init__(self, documents: Documents, schemas: Schemas, linker: Linker) -> None:
        self._documents = documents
        self._schemas = schemas
        self._linker = linker
        self._security = Security(documents)

    def access(self, operation: Operation) -> Access:
        """Return the security schemes and scopes of an operation."""
        return self._security.access(operation)

    def read(
        self, operation: Operation, access: Access, notes: list[str]
    ) -> tuple[Body | None, list[Argument]]:
        """Return the body of an operation, and the arguments for the rest of the request.

        Args:
            operation: The operation.
            access: Its security schemes. Their credentials do not become arguments.
            notes: A note is added for everything that is left out.

        Raises:
            OpenApiError: A reference leads nowhere.
        """
        parts = [
            part
            for part in parameters(self._documents, operation)
            if not self._is_secret(part, access, notes)
        ]
        if self._documents.dialect is Dialect.SWAGGER_2:
            fields = [part for part in parts if part.text("in") in ("body", "formData")]
            if len(fields) > 1 and any(part.text("in") == "body" for part in fields):
                notes.append(
                    "a request has either one body or the fields of a form, so only the first "
                    "body is used"
                )
            consumed = operation.place.at("consumes")
            if not isinstance(consumed.node, list):
                consumed = self._documents.main.at("consumes")
            body = swagger.body(operation.place, fields, _media_types(consumed))
            described = [swagger.parameter(part) for part in parts if part not in fields]
        else:
            body = openapi3.body(self._documents, operation.place.at("requestBody"))
            described = [openapi3.parameter(part) for part in parts]
        kept = [one for one in described if _is_argument(one, notes)]
        notes += [
            f"the {one.location} parameter {one.name} cannot have the style {one.style}, so it "
            "has the default style"
            for one in kept
            if one.style and not has_style(one.location, one.style)
        ]
        notes += [
            f"the header {one.name} may carry a secret: if so, remove the argument, and set the "
            "header from a Secret in request.headers"
            for one in kept
            if one.location == "header" and looks_secret(one.name)
        ]
        return body, [self._argument(one, operation) for one in kept]

    def without_default(self, schema: JsonObject) -> JsonObject:
        """Move a default into the description, so that clients do not send it.

        A default says what the API does without the argument. If a client sent it, the API could
        reject it, because not all values can be combined.
        """
        opened = self._linker.opened(schema)
        if "default" not in opened:
            return schema
        rest = {key: value for key, value in opened.items() if key != "default"}
        default = opened["default"]
        if default in (None, "", [], {}):
            return rest
        shown = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
        text = f"Default: {shortened(shown, _MAX_DEFAULT)}."
        return rest | {"description": sentences(opened.get("description", ""), text)}

    def _is_secret(self, part: Located, access: Access, notes: list[str]) -> bool:
        name, location = part.text("name"), part.text("in")
        told = cleaned(part.mapping.get("description"))
        if location in ("path", "body"):
            return False
        found = self._security.is_credential(name, location, told, access)
        if found:
            notes.append(f"the parameter {name} carries a credential, so it is not an argument")
        return found

    def _argument(self, parameter: Parameter, operation: Operation) -> Argument:
        schema = self._schemas.translate(parameter.schema, parameter.name)
        text = cleaned(parameter.description)
        if len(text) > MAX_TEXT:
            self._schemas.lose(parameter.schema, CUT)
        return Argument(
            parameter.location,
            Field(
                parameter.name,
                schema | ({"description": shortened(text, MAX_TEXT)} if text else {}),
                required=parameter.required or parameter.location == "path",
                style=parameter.style,
                explode=parameter.explode,
                reserved=parameter.reserved or holds_slashes(parameter, operation.template),
            ),
            parameter.schema.key,
        )


def body_arguments(plan: BodyPlan | None) -> Iterator[Argument]:
    """Yield the arguments of a body."""
    if plan is None:
        return
    if plan.whole:
        yield Argument("body", plan.whole, plan.part, is_whole=True)
    for one in plan.fields:
        yield Argument("body", one, plan.part)


def in_order(
    path: Iterable[str], arguments: Iterable[Argument], notes: list[str]
) -> list[Argument]:
    """Return path arguments in the order of the path, with undeclared ones added, then the others.

    Args:
        path: The names of the places in the path.
        arguments: The arguments that the operation declares.
        notes: A note is added for each declared argument that the path does not contain.
    """
    given = tuple(arguments)
    declared = {one.field.name: one for one in given if one.location == "path"}
    names = tuple(path)
    notes += [
        f"the path does not contain {{{name}}}, so the path parameter is left out"
        for name in declared
        if name not in names
    ]
    undeclared: Any = {"type": "string"}
    ordered = [
        declared.get(name) or Argument("path", Field(name, undeclared, required=True))
        for name in names
    ]
    return ordered + [one for one in given if one.location != "path"]


def _is_argument(parameter: Parameter, notes: list[str]) -> bool:
    name, location = parameter.name, parameter.location
    if not name:
        notes.append(f"a parameter in {location!r} has no name, so it is left out")
    elif location not in ("path", "query", "header", "cookie"):
        notes.append(
            f"the parameter {name!r} is in {location!r} and not in path, query, header or cookie, "
            "so it is left out"
        )
    elif location == "header" and name.lower() in _NOT_FOR_ARGUMENTS:
        notes.append(f"the gateway sets the header {name}, so it is not an argument")
    elif location != "path" and not is_target(name, location):
        wrong = f"the {location} parameter {name!r} has a name that a tool cannot send"
        if parameter.required:
            raise OpenApiError(f"{wrong}, and it is required")
        notes.append(f"{wrong}, so it is left out")
    else:
        return True
    return False


def _media_types(consumed: Located) -> Iterator[str]:
    for _, written in consumed.entries():
        if isinstance(written.node, str):
            yield openapi3.media_type(written.node)

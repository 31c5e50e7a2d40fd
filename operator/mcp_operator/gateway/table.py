"""The routing table: one catalog, indexed and compiled, and immutable while it is in service."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from mcp_operator.api.catalog import (
    Backend,
    Catalog,
    JsonObject,
    PromptEntry,
    ResourceEntry,
    ServerSettings,
    ToolEntry,
)
from mcp_operator.api.jsonschema import CompiledSchema, SchemaCostError, SchemaError
from mcp_operator.api.patterns import mebibytes
from mcp_operator.api.uritemplates import TemplateError, UriTemplate, Variables
from mcp_operator.core.clock import Clock, SystemClock
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.arguments import ArgumentForm

log = logging.getLogger(__name__)

T = TypeVar("T")

Kind = Literal["tools", "prompts", "resources"]

_NAMING: Final[Mapping[str, Kind]] = {
    "tools/call": "tools",
    "prompts/get": "prompts",
    "resources/read": "resources",
    "resources/subscribe": "resources",
    "resources/unsubscribe": "resources",
}
"""What the methods that name an entry of the catalog name."""

MAX_PATTERNS_COST: Final = 128 * 1024 * 1024
"""Total cost of all `pattern`s of a catalog, in bytes of memory."""

FREE_PATTERNS_COST: Final = 256 * 1024
"""Cost per tool that does not count, so that a catalog can have ten thousand ordinary tools."""


@dataclass(frozen=True, slots=True)
class Named:
    """The entry that a request names.

    Attributes:
        kind: The list that the entry is in.
        name: Its name; for a resource, its URI or URI template.
        backend: The backend that answers; None if the gateway answers by itself.
    """

    kind: Kind
    name: str
    backend: Backend | None = field(default=None, compare=False)


class NewerEntryError(OperatorError):
    """An entry needs a later release; the message says which field."""


class Table:
    """The entries that one gateway serves, by name and by URI.

    Building a table compiles every schema, so build large ones off the event loop. A tool or a
    template that cannot be compiled is left out, and `rejected` says why; the rest is served.

    Attributes:
        catalog: The catalog that it was built from.
        digest: The digest of the catalog.
        shards: ConfigMaps that the catalog was read from; 0 if it came from files.
        tools: Tools by name, in the catalog's order.
        prompts: Prompts by name, in the catalog's order.
        resources: Resources with a fixed URI, by URI, in the catalog's order.
        templates: Resource templates, in the catalog's order.
        rejected: Why an entry is not served, by kind and name (`tool search`).
    """

    def __init__(self, catalog: Catalog, digest: str, shards: int = 0) -> None:
        """Index and compile a catalog; an invalid entry does not affect the others."""
        self.catalog = catalog
        self.digest = digest
        self.shards = shards
        rejected: dict[str, str] = {}
        tools: dict[str, ToolEntry] = {}
        self._spent = 0
        self._inputs: dict[str, ArgumentForm] = {}
        self._outputs: dict[str, CompiledSchema] = {}
        for tool in catalog.tools:
            try:
                _require_known(tool.backend)
                self._compile_tool(tool)
            except Exception as error:  # noqa: BLE001 - a bug affects only this entry
                rejected[f"tool {tool.name}"] = _rejection(error)
            else:
                tools[tool.name] = tool
        templates: list[tuple[UriTemplate, ResourceEntry]] = []
        resources: dict[str, ResourceEntry] = {}
        for entry in catalog.resources:
            try:
                _require_known(entry.backend)
                if entry.uri_template:
                    templates.append((UriTemplate(entry.uri_template), entry))
                else:
                    resources[entry.uri] = entry
            except Exception as error:  # noqa: BLE001 - a bug affects only this entry
                rejected[f"resource {entry.name}"] = _rejection(error)
        self.tools: Mapping[str, ToolEntry] = MappingProxyType(tools)
        self.prompts: Mapping[str, PromptEntry] = MappingProxyType(
            {prompt.name: prompt for prompt in catalog.prompts}
        )
        self.resources: Mapping[str, ResourceEntry] = MappingProxyType(resources)
        self.templates: tuple[ResourceEntry, ...] = tuple(entry for _, entry in templates)
        self.rejected: Mapping[str, str] = MappingProxyType(rejected)
        # A longer literal part makes a template more specific. Sorting is stable, so templates with
        # equal lengths keep the catalog's order.
        self._matchers = sorted(templates, key=lambda pair: -pair[0].literal_length)

    def narrowed(self, allows: Callable[[Kind, str], bool]) -> Table:
        """Return a table of the allowed names, URIs and URI templates, without compiling again."""
        table = copy.copy(self)
        table.tools = _kept(self.tools, lambda name: allows("tools", name))
        table.prompts = _kept(self.prompts, lambda name: allows("prompts", name))
        table.resources = _kept(self.resources, lambda uri: allows("resources", uri))
        table.templates = tuple(
            entry for entry in self.templates if allows("resources", entry.uri_template)
        )
        table._matchers = [  # noqa: SLF001 - of a copy of itself
            pair for pair in self._matchers if allows("resources", pair[1].uri_template)
        ]
        return table

    def _compile_tool(self, tool: ToolEntry) -> None:
        inputs = CompiledSchema(tool.input_schema)
        outputs = CompiledSchema(tool.output_schema) if tool.output_schema is not None else None
        self._spend(inputs.cost + (outputs.cost if outputs else 0))
        self._inputs[tool.name] = ArgumentForm(tool.input_schema, inputs)
        if outputs:
            self._outputs[tool.name] = outputs

    def _spend(self, cost: int) -> None:
        """Count the cost of a tool's patterns, if it fits into the limit."""
        if cost <= FREE_PATTERNS_COST:
            return
        if self._spent + cost > MAX_PATTERNS_COST:
            raise SchemaCostError(
                f"its patterns take {mebibytes(cost)} when compiled, but the server has only "
                f"{mebibytes(MAX_PATTERNS_COST)} for patterns, of which other tools use "
                f"{mebibytes(self._spent)}: use lower repeat counts in patterns, or another "
                "MCPServer"
            )
        self._spent += cost

    def match(self, uri: str) -> tuple[ResourceEntry, Variables] | None:
        """Find the resource of a URI and the values of its template variables."""
        fixed = self.resources.get(uri)
        if fixed is not None:
            return fixed, {}
        for template, entry in self._matchers:
            variables = template.match(uri)
            if variables is not None:
                return entry, variables
        return None

    def named(self, method: str, params: Mapping[str, Any]) -> Named | None:
        """Return the entry that a request names; None if it names none that is served.

        Args:
            method: The MCP method.
            params: Its parameters, not validated.
        """
        kind = _NAMING.get(method)
        name = params.get("uri" if kind == "resources" else "name")
        if not isinstance(name, str):
            return None
        if kind == "tools" and (tool := self.tools.get(name)):
            return Named(kind, name, tool.backend)
        if kind == "prompts" and name in self.prompts:
            return Named(kind, name)
        if kind == "resources" and (found := self.match(name)):
            entry, _ = found
            return Named(kind, entry.uri or entry.uri_template, entry.backend)
        return None

    def checked_arguments(
        self, tool_name: str, arguments: JsonObject
    ) -> tuple[JsonObject, list[str]]:
        """Return the arguments to send to a served tool, and the errors in them."""
        return self._inputs[tool_name].checked(arguments)

    def output_errors(self, tool_name: str, value: Any) -> list[str]:
        """Validate a structured result; a tool without an output schema accepts any."""
        schema = self._outputs.get(tool_name)
        return schema.errors(value) if schema else []


def _kept(entries: Mapping[str, T], allows: Callable[[str], bool]) -> Mapping[str, T]:
    return MappingProxyType({name: entry for name, entry in entries.items() if allows(name)})


def _require_known(backend: Backend | None) -> None:
    """Reject a backend with fields of a later release, because its requests would lack them."""
    if backend is not None and backend.unknown:
        raise NewerEntryError(
            f"its request has {', '.join(backend.unknown)}, which this release of the gateway "
            "does not support: use the release of the operator"
        )


def _rejection(error: Exception) -> str:
    """Return why an entry is not served; unexpected errors are logged."""
    if isinstance(error, NewerEntryError | SchemaError | TemplateError):
        return str(error)
    log.error("An entry of the catalog cannot be compiled", exc_info=error)
    return (
        f"this release cannot compile it ({type(error).__name__}). This is a bug: report it "
        "with the gateway's log"
    )


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new table changes for clients: entries that were added, changed or removed.

    Attributes:
        tools: Names of tools whose listing changed.
        prompts: Names of prompts whose listing changed.
        resources: URIs and URI templates of resources whose listing changed.
        resource_uris: Fixed URIs whose entry changed, in its listing or in its content.
    """

    tools: frozenset[str] = frozenset()
    prompts: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    resource_uris: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.tools or self.prompts or self.resources or self.resource_uris)

    def __or__(self, other: Changes) -> Changes:
        return Changes(
            self.tools | other.tools,
            self.prompts | other.prompts,
            self.resources | other.resources,
            self.resource_uris | other.resource_uris,
        )

    def narrowed(self, allows: Callable[[Kind, str], bool]) -> Changes:
        """Return the changes of allowed entries (see `Table.narrowed`)."""
        return Changes(
            frozenset(name for name in self.tools if allows("tools", name)),
            frozenset(name for name in self.prompts if allows("prompts", name)),
            frozenset(uri for uri in self.resources if allows("resources", uri)),
            frozenset(uri for uri in self.resource_uris if allows("resources", uri)),
        )


def changes_between(old: Table | None, new: Table) -> Changes:
    """Compare two tables as clients see them; None counts as an empty table."""
    before = old or Table(Catalog(server=new.catalog.server), "")
    return Changes(
        tools=_differing(before.tools, new.tools, _listed_tool),
        prompts=_differing(before.prompts, new.prompts, _listed_prompt),
        resources=_differing(before.resources, new.resources, _listed_resource)
        | _differing(_by_template(before), _by_template(new), _listed_resource),
        resource_uris=_differing(before.resources, new.resources, lambda entry: entry),
    )


def _differing(
    before: Mapping[str, T], after: Mapping[str, T], seen: Callable[[T], Any]
) -> frozenset[str]:
    """Return the keys of entries that only one table has, or that clients see differently."""
    differing = before.keys() ^ after.keys()
    both = before.keys() & after.keys()
    differing.update(key for key in both if seen(before[key]) != seen(after[key]))
    return frozenset(differing)


def _by_template(table: Table) -> Mapping[str, ResourceEntry]:
    return {entry.uri_template: entry for entry in table.templates}


def _listed_tool(tool: ToolEntry) -> tuple[Any, ...]:
    return (
        tool.name,
        tool.title,
        tool.description,
        tool.input_schema,
        tool.listed_output_schema,
        tool.annotations,
        tool.icons,
    )


def _listed_prompt(prompt: PromptEntry) -> tuple[Any, ...]:
    variables = [(v.name, v.title, v.description, v.required) for v in prompt.variables]
    return prompt.name, prompt.title, prompt.description, prompt.icons, variables


def _listed_resource(entry: ResourceEntry) -> tuple[Any, ...]:
    named = entry.name, entry.title, entry.description, entry.icons
    return (*named, entry.mime_type, entry.annotations)


_NO_SERVER = ServerSettings(namespace="", name="")


class Current:
    """Holds the table in service, and replaces it as a whole, so that readers see only one."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._subscribers: list[Callable[[Changes], None]] = []
        self.table: Table | None = None
        self.generation = 0
        """The number of tables that this process has put in service."""
        self.loaded_at: datetime | None = None
        """When the current table was put in service."""

    @property
    def server(self) -> ServerSettings:
        """The current settings of the server; the defaults before the first table."""
        return self.table.catalog.server if self.table else _NO_SERVER

    def swap(self, table: Table) -> Changes:
        """Put a table in service and notify the subscribers, even if no listing changed."""
        changes = changes_between(self.table, table)
        self.table = table
        self.generation += 1
        self.loaded_at = self._clock.now()
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(changes)
            except Exception:
                log.exception("A subscriber failed to handle the new catalog")
        return changes

    def subscribe(self, callback: Callable[[Changes], None]) -> Callable[[], None]:
        """Call back after each swap, on the event loop; returns a function that unsubscribes."""
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            self._subscribers.remove(callback)

        return unsubscribe

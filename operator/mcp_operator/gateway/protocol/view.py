"""What clients of one era see of one table, encoded once and served many times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.protocol import describe, spec
from mcp_operator.gateway.protocol.envelope import HeaderRule, header_rules
from mcp_operator.gateway.protocol.jsonrpc import encode
from mcp_operator.gateway.protocol.listing import Listing
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.table import Table
from mcp_operator.version import VERSION

LIST_TTL_MS: Final = 0
"""Lists may change at any moment and cost next to nothing to serve, so nobody is asked to keep one:
a deleted tool is gone with the next list."""

_CAPABILITIES: Final[JsonObject] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
}
"""The same for every catalog: an empty list may fill while a client is connected."""


class View:
    """Lists and greetings of one table, for one era."""

    def __init__(self, table: Table, era: Era) -> None:
        """Encode everything that does not depend on a request."""
        self.table = table
        self.era = era
        server = table.catalog.server
        self.server_info = describe.server(server, VERSION)
        self.meta: JsonObject = {spec.SERVER_INFO_META: self.server_info}
        self.lists: Mapping[str, Listing] = {
            "tools/list": self._listing(
                "tools", ((name, describe.tool(t, era)) for name, t in table.tools.items())
            ),
            "prompts/list": self._listing(
                "prompts", ((name, describe.prompt(p)) for name, p in table.prompts.items())
            ),
            "resources/list": self._listing(
                "resources",
                ((f"{r.name}\n{r.uri}", describe.resource(r)) for r in table.resources.values()),
            ),
            "resources/templates/list": self._listing(
                "resourceTemplates",
                ((f"{r.name}\n{r.uri_template}", describe.resource(r)) for r in table.templates),
            ),
        }
        self.header_rules: Mapping[str, tuple[HeaderRule, ...]] = {
            name: rules
            for name, tool in table.tools.items()
            if era is Era.MODERN and (rules := header_rules(tool.input_schema))
        }
        self.discovery = encode(
            {"supportedVersions": spec.MODERN_VERSIONS}
            | self._greeting(_CAPABILITIES)
            | self._cacheable()
        )

    def initialized(self, protocol_version: str) -> bytes:
        """Return the encoded result of a legacy `initialize`."""
        greeting = self._greeting(_CAPABILITIES | {"logging": {}})
        server = self.table.catalog.server
        info = describe.server(server, VERSION, protocol_version)
        return encode({"protocolVersion": protocol_version, "serverInfo": info} | greeting)

    def _greeting(self, capabilities: JsonObject) -> JsonObject:
        instructions = self.table.catalog.server.instructions
        greeting: JsonObject = {"capabilities": capabilities}
        return greeting | {"instructions": instructions} if instructions else greeting

    def _listing(self, field: str, entries: Iterable[tuple[str, JsonObject]]) -> Listing:
        extra = self._cacheable() if self.era is Era.MODERN else {}
        page_size = self.table.catalog.server.page_size
        return Listing(field, entries, page_size=page_size, extra=extra)

    def _cacheable(self) -> JsonObject:
        """Return what a 2026-07-28 result says besides its content; lists are everybody's."""
        return {
            "resultType": "complete",
            "ttlMs": LIST_TTL_MS,
            "cacheScope": "public",
            "_meta": self.meta,
        }


class Views:
    """The views of the table in service, built when first asked for."""

    def __init__(self) -> None:
        self._views: dict[Era, View] = {}

    def of(self, table: Table, era: Era) -> View:
        """Return the view of a table, built anew only when the table was swapped."""
        view = self._views.get(era)
        if view is None or view.table is not table:
            view = self._views[era] = View(table, era)
        return view

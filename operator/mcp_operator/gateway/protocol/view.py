"""The part of a table that clients of one revision see, encoded once and served many times."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import JsonObject, ResourceEntry
from mcp_operator.gateway.policy.access import allows, holds, lacking_scopes
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from mcp_operator.gateway.protocol import describe, spec
from mcp_operator.gateway.protocol.envelope import HeaderRule, header_rules
from mcp_operator.gateway.protocol.jsonrpc import encode
from mcp_operator.gateway.protocol.listing import Listing
from mcp_operator.gateway.protocol.spec import Era
from mcp_operator.gateway.table import Kind, Table
from mcp_operator.version import VERSION

_CAPABILITIES: Final[JsonObject] = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "completions": {},
}
"""The same for every catalog, because an empty list can fill while clients are connected."""

_COMPLETIONS_SINCE: Final = "2025-03-26"
"""The first revision with the capability; the method is older."""

MAX_NARROWED: Final = 16 * 1024 * 1024
"""Approximate bytes of all views of clients with different rules. The least recently used view is
evicted first, but the last one stays. A view contains the text of its lists, about 0.4 MB for 1,000
tools."""

VIEW_BYTES: Final = 8 * 1024
"""Approximate bytes that a view takes in addition to its lists."""

MAX_PRINCIPALS: Final = 10_000
"""Clients for which the rules that hold are cached."""

_Rules: TypeAlias = tuple[int, ...]


class View:
    """The lists and the greetings of one table, for one revision of MCP.

    Attributes:
        table: The entries that are served.
        whole: The complete table, of which `table` can be a part.
        era: The wire format of the lists.
        revision: The protocol version; fields that it does not have are omitted.
    """

    def __init__(self, table: Table, era: Era, revision: str = "") -> None:
        """Encode everything that does not depend on a request.

        Args:
            table: The entries that are served.
            era: The wire format to encode for.
            revision: The protocol version; defaults to the newest one of the era.
        """
        self.table = table
        self.whole = table
        self.era = era
        self.revision = revision = revision or _newest(era)
        server = table.catalog.server
        self.server_info = describe.server(server, VERSION, revision)
        self.meta: JsonObject = {spec.SERVER_INFO_META: self.server_info}
        self.lists: Mapping[str, Listing] = {
            "tools/list": self._listing(
                "tools", ((name, describe.tool(t, revision)) for name, t in table.tools.items())
            ),
            "prompts/list": self._listing(
                "prompts",
                ((name, describe.prompt(p, revision)) for name, p in table.prompts.items()),
            ),
            "resources/list": self._listing(
                "resources",
                (
                    (_key(r, r.uri), describe.resource(r, revision))
                    for r in table.resources.values()
                ),
            ),
            "resources/templates/list": self._listing(
                "resourceTemplates",
                (
                    (_key(r, r.uri_template), describe.resource(r, revision))
                    for r in table.templates
                ),
            ),
        }
        self.header_rules: Mapping[str, tuple[HeaderRule, ...]] = {
            name: rules
            for name, tool in table.tools.items()
            if era is Era.MODERN and (rules := header_rules(tool.input_schema))
        }
        self.discovery = encode(
            {"supportedVersions": spec.MODERN_VERSIONS}
            | self._greeting(_CAPABILITIES | _extensions(table))
            | self._cacheable()
        )

    @property
    def size(self) -> int:
        """Bytes that it takes, without those shared with the view that it was narrowed from."""
        return VIEW_BYTES + sum(listing.size for listing in self.lists.values())

    def narrowed(self, rules: tuple[AccessRule, ...], holding: _Rules) -> View:
        """Return the view of clients for which the given rules hold."""
        held = [rules[n] for n in holding]
        view = copy.copy(self)
        view.table = table = self.table.narrowed(lambda kind, name: allows(held, kind, name))
        view.whole = self.table
        kept = {
            "tools/list": set(table.tools),
            "prompts/list": set(table.prompts),
            "resources/list": {_key(r, r.uri) for r in table.resources.values()},
            "resources/templates/list": {_key(r, r.uri_template) for r in table.templates},
        }
        view.lists = {method: self.lists[method].narrowed(keys) for method, keys in kept.items()}
        return view

    def lacking_scopes(self, principal: Principal, kind: Kind, name: str) -> tuple[str, ...]:
        """Return scopes of which any one would give a client access to a hidden entry."""
        auth = self.table.catalog.server.auth
        return lacking_scopes(auth.rules, principal, kind, name) if auth is not None else ()

    def initialized(self) -> bytes:
        """Return the encoded result of a legacy `initialize`."""
        capabilities = _CAPABILITIES | {"logging": {}}
        if self.revision < _COMPLETIONS_SINCE:
            del capabilities["completions"]
        agreed = {"protocolVersion": self.revision, "serverInfo": self.server_info}
        return encode(agreed | self._greeting(capabilities))

    def _greeting(self, capabilities: JsonObject) -> JsonObject:
        instructions = self.table.catalog.server.instructions
        greeting: JsonObject = {"capabilities": capabilities}
        return greeting | {"instructions": instructions} if instructions else greeting

    def _listing(self, field: str, entries: Iterable[tuple[str, JsonObject]]) -> Listing:
        extra = self._cacheable() if self.era is Era.MODERN else {}
        page_size = self.table.catalog.server.page_size
        return Listing(field, entries, page_size=page_size, extra=extra)

    def _cacheable(self) -> JsonObject:
        """Return the members of a 2026-07-28 result in addition to its content.

        Lists can change at any time and are cheap to serve. So by default, clients must not cache
        them, and a deleted tool disappears from the next list. A public result can be given to
        every client, even without authentication.
        """
        cache = self.table.catalog.server.cache
        return {
            "resultType": "complete",
            "ttlMs": int(cache.list_ttl_seconds * 1000) if cache else 0,
            "cacheScope": "private" if self.table.catalog.server.auth else "public",
            "_meta": self.meta,
        }


def _newest(era: Era) -> str:
    return (spec.MODERN_VERSIONS if era is Era.MODERN else spec.LEGACY_VERSIONS)[0]


def _extensions(table: Table) -> JsonObject:
    """Return the capabilities for the extensions of MCP that a table uses."""
    server = table.catalog.server
    kept = server.redis is not None or not server.several_pods
    has_tasks = kept and any(tool.task is not None for tool in table.tools.values())
    return {"extensions": {spec.TASKS: {}}} if has_tasks else {}


def _key(entry: ResourceEntry, uri: str) -> str:
    """Return the sort key of a resource, because names do not have to be unique."""
    return f"{entry.name}\n{uri}"


class Views:
    """The views of the table in service, each built when it is first needed."""

    def __init__(self) -> None:
        self._table: Table | None = None
        self._whole: dict[str, View] = {}
        self._narrowed: OrderedDict[tuple[str, _Rules], View] = OrderedDict()
        """Ordered by last use, the least recent first."""
        self._size = 0
        self._applying: OrderedDict[Principal, _Rules] = OrderedDict()

    def of(
        self, table: Table, era: Era, principal: Principal = ANONYMOUS, revision: str = ""
    ) -> View:
        """Return the view of a client; views are rebuilt only when the table changes.

        Clients of the same revision for which the same rules hold share a view.
        """
        revision = revision or _newest(era)
        if table is not self._table:
            self._table = table
            self._whole.clear()
            self._narrowed.clear()
            self._size = 0
            self._applying.clear()
        whole = self._whole.get(revision)
        if whole is None:
            whole = self._whole[revision] = View(table, era, revision)
        auth = table.catalog.server.auth
        if auth is None or not auth.rules:
            return whole
        return self._narrow(whole, auth.rules, self._rules(auth.rules, principal))

    def _rules(self, rules: tuple[AccessRule, ...], principal: Principal) -> _Rules:
        """Return the indexes of the rules that hold for a client."""
        known = self._applying.get(principal)
        if known is None:
            known = tuple(n for n, rule in enumerate(rules) if holds(rule, principal))
            self._applying[principal] = known
            if len(self._applying) > MAX_PRINCIPALS:
                self._applying.popitem(last=False)
        return known

    def _narrow(self, whole: View, rules: tuple[AccessRule, ...], holding: _Rules) -> View:
        """Return the view of clients for which these rules hold, cached within a limit."""
        key = whole.revision, holding
        view = self._narrowed.get(key)
        if view is not None:
            self._narrowed.move_to_end(key)
            return view
        view = self._narrowed[key] = whole.narrowed(rules, holding)
        self._size += view.size
        while self._size > MAX_NARROWED and len(self._narrowed) > 1:
            self._size -= self._narrowed.popitem(last=False)[1].size
        return view

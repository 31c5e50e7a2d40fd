"""A server with rules for everything that it serves, and the principals that they allow."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from hypothesis import strategies as st

from mcp_operator.api.access import AccessRule, ClaimValues
from mcp_operator.api.catalog import PromptEntry, ResourceEntry, ToolEntry
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.policy.principal import Principal
from support.entries import backend, prompt, resource, tool
from support.identity import API_KEYS
from support.mcp_http import Server

NAMES = ("get-order", "get-stock", "delete-order", "search", "admin.reset")
URIS = ("docs://public/a", "docs://internal/b", "mcp://orders/1")
PROMPTS = ("get-hello", "admin.prompt")
TEMPLATES = ("orders://{id}", "secret://{id}")
CATALOG: tuple[ToolEntry | PromptEntry | ResourceEntry, ...] = (
    *(tool(name) for name in NAMES),
    *(prompt("Hello", name=name) for name in PROMPTS),
    *(resource(uri, uri=uri, text="content") for uri in URIS),
    *(resource(uri, uri_template=uri, backend=backend("/{id}")) for uri in TEMPLATES),
)
RULES = (
    AccessRule(tools=("get-*", "search"), prompts=("get-*",), any_scope=("read", "write")),
    AccessRule(tools=("*-order",), resources=("docs://public/*",), principals=("alice", "b*")),
    AccessRule(tools=("*",), claims=(ClaimValues(name="groups", values=("staff", "root")),)),
    AccessRule(
        prompts=("*",),
        resources=("*://*",),
        any_scope=("write",),
        claims=(ClaimValues(name="groups", values=("staff",)),),
        principals=("*",),
    ),
    AccessRule(tools=("*",), prompts=("*",), resources=("*",)),  # without a condition
    AccessRule(tools=("admin.*",), resources=("docs://*",), when="claims.groups == 'staff'"),
    AccessRule(
        tools=("s*",),
        prompts=("admin.*",),
        principals=("b*", "carol"),
        when="'write' in scopes && principal != 'bob' || claims.teams == 'root'",
    ),
)
CONDITIONS: dict[str, Callable[[Principal, dict[str, str]], bool]] = {
    "": lambda who, claims: True,
    "claims.groups == 'staff'": lambda who, claims: claims.get("groups") == "staff",
    "'write' in scopes && principal != 'bob' || claims.teams == 'root'": lambda who, claims: (
        ("write" in who.scopes and who.name != "bob") or claims.get("teams") == "root"
    ),
}
"""The conditions of these rules in Python; a missing claim is an empty value."""


class Named(Guard):
    """Authenticates every client as the principal that a test sets."""

    who = Principal("nobody")

    async def admit(
        self, headers: Mapping[str, str], repeated: AbstractSet[str], address: str = ""
    ) -> Principal:
        return self.who


def server(*rules: AccessRule) -> tuple[Server, Named]:
    shop = Server(*CATALOG, auth=API_KEYS.model_copy(update={"rules": rules or RULES}))
    shop.endpoint._guard = guard = Named(shop.current)
    return shop, guard


def allowed(
    principal: Principal, kind: str, name: str, rules: tuple[AccessRule, ...] = RULES
) -> bool:
    """Decide independently of the product, with the patterns of the standard library."""
    for rule in rules:
        if not (rule.any_scope or rule.principals or rule.claims or rule.when):
            continue
        if not CONDITIONS[rule.when](principal, json.loads(principal.looked_at or "{}")):
            continue
        claims = [
            {(claim.name, value) for value in claim.values} & principal.claims
            for claim in rule.claims
        ]
        named = any(fnmatch.fnmatchcase(principal.name, one) for one in rule.principals)
        if (
            any(fnmatch.fnmatchcase(name, pattern) for pattern in getattr(rule, kind))
            and (not rule.any_scope or set(rule.any_scope) & principal.scopes)
            and (not rule.principals or named)
            and all(claims)
        ):
            return True
    return not rules


principals = st.builds(
    Principal,
    st.sampled_from(["alice", "bob", "carol", "a", ""]),
    st.just("issuer"),
    st.frozensets(st.sampled_from(["read", "write", "other", "READ"])),
    st.frozensets(
        st.tuples(st.sampled_from(["groups", "teams"]), st.sampled_from(["staff", "root", "x"]))
    ),
    st.none(),
    st.dictionaries(
        st.sampled_from(["groups", "teams"]), st.sampled_from(["staff", "root"]), max_size=2
    ).map(lambda claims: json.dumps(claims) if claims else ""),
)

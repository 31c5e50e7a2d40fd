"""What the three kinds of catalog objects have in common, and the catalog built from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mcp_operator.api.catalog import DEFAULT_PATH, Auth, Redis, ServerSettings
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.v1alpha1 import MCPPrompt, MCPResource, MCPServer, MCPTool
from mcp_operator.api.v1alpha1.common import Selector
from mcp_operator.builders.assembly import Assembly, assemble
from mcp_operator.builders.compile_auth import compile_auth
from mcp_operator.builders.compile_cache import compile_server_cache
from mcp_operator.builders.compile_icons import compile_icons
from mcp_operator.builders.compile_limits import compile_limits
from mcp_operator.builders.compile_prompt import compile_prompt
from mcp_operator.builders.compile_redis import compile_redis
from mcp_operator.builders.compile_resource import (
    compile_resource,
    resource_identities,
    resource_references,
)
from mcp_operator.builders.compile_tool import compile_tool, tool_definitions, tool_references
from mcp_operator.builders.compiled import CatalogKind, Compiled, EntryKey
from mcp_operator.builders.joining import joining
from mcp_operator.builders.references import Facts, References
from mcp_operator.builders.server_references import certificate_finding
from mcp_operator.builders.urls import own_hosts
from mcp_operator.core.meta import LabelSelector

CatalogObject = MCPTool | MCPPrompt | MCPResource

_NO_FACTS = Facts()

MODELS: Mapping[CatalogKind, type[CatalogObject]] = {
    "MCPTool": MCPTool,
    "MCPPrompt": MCPPrompt,
    "MCPResource": MCPResource,
}


def selectors(server: MCPServer) -> dict[CatalogKind, LabelSelector]:
    """Return a server's compiled selector for each kind of catalog object."""
    tools, prompts, resources = (_compiled(selector) for selector in server.spec.selectors)
    return {"MCPTool": tools, "MCPPrompt": prompts, "MCPResource": resources}


def references_of(obj: CatalogObject) -> References:
    """Return all objects that a catalog object refers to.

    Raises:
        InvalidError: The object has a form that this release does not know.
    """
    match obj:
        case MCPTool():
            return tool_references(obj)
        case MCPResource():
            return resource_references(obj)
        case MCPPrompt():
            return References()


def compile_object(obj: CatalogObject, facts: Facts) -> Compiled:
    """Compile a catalog object of any kind.

    Raises:
        InvalidError: The object has a form that this release does not know.
    """
    match obj:
        case MCPTool():
            return compile_tool(obj, facts)
        case MCPResource():
            return compile_resource(obj, facts)
        case MCPPrompt():
            return compile_prompt(obj)


def entry_keys_of(obj: CatalogObject) -> frozenset[EntryKey]:
    """Return the entry keys that an object claims by its spec, whether or not it is valid.

    Raises:
        InvalidError: The object has a form that this release does not know.
    """
    match obj:
        case MCPTool():
            return frozenset(EntryKey("tools", one.name) for one in tool_definitions(obj))
        case MCPPrompt():
            return frozenset({EntryKey("prompts", obj.spec.name)})
        case MCPResource():
            return frozenset(EntryKey("resources", uri) for uri in resource_identities(obj))


def server_settings(
    server: MCPServer, auth: Auth | None = None, redis: Redis | None = None
) -> ServerSettings:
    """Return the server's own part of its catalog."""
    config = server.spec.config
    return ServerSettings(
        namespace=server.namespace,
        name=server.name,
        uid=server.metadata.get("uid", ""),
        title=server.spec.title or "",
        version=server.spec.version or "",
        website_url=server.spec.website_url or "",
        icons=compile_icons(server.spec.icons),
        instructions=config.instructions,
        page_size=config.page_size,
        request_timeout_seconds=parse_duration(config.request_timeout),
        max_concurrent_requests=config.max_concurrent_requests,
        max_concurrent_requests_per_client=config.max_concurrent_requests_per_client,
        max_request_bytes=config.max_request_bytes,
        max_response_bytes=config.max_response_bytes,
        drain_timeout_seconds=parse_duration(config.drain_timeout),
        log_level=config.log_level,
        paths=endpoint_paths(server),
        auth=auth,
        rate_limits=compile_limits(server),
        cache=compile_server_cache(server),
        redis=redis,
        audit=server.spec.audit,
        own_hosts=own_hosts(server),
        allowed_hosts=server.spec.protocol.allowed_hosts,
        allowed_origins=server.spec.protocol.allowed_origins,
        several_pods=(server.spec.replicas or 1) > 1 or server.spec.autoscaling is not None,
        session_ttl_seconds=parse_duration(server.spec.protocol.session_ttl),
    )


def endpoint_paths(server: MCPServer) -> tuple[str, ...]:
    """Return every path that the gateway answers at, in order, without a trailing slash."""
    fronts = (server.spec.ingress, server.spec.http_route)
    prefixes = [front.path_prefix for front in fronts if front is not None]
    return tuple(sorted({DEFAULT_PATH, *(prefix.rstrip("/") or "/" for prefix in prefixes)}))


def build_catalog(
    server: MCPServer, compiled: Iterable[Compiled], facts: Facts = _NO_FACTS
) -> Assembly:
    """Assemble the catalog of a server.

    Args:
        server: The server.
        compiled: The objects that it selects, compiled.
        facts: The objects that the server itself refers to.
    """
    objects = tuple(joining(one, server.namespace) for one in compiled)
    auth, redis = compile_auth(server, facts), compile_redis(server, facts)
    settings = server_settings(server, auth.auth if auth else None, redis.redis if redis else None)
    assembly = assemble(settings, objects, server.spec.naming.on_conflict)
    return replace(
        assembly,
        finding=auth.finding if auth else None,
        certificate=certificate_finding(server, facts),
        redis_finding=redis.finding if redis else None,
    )


def _compiled(selector: Selector) -> LabelSelector:
    return LabelSelector.parse(selector.model_dump(by_alias=True))

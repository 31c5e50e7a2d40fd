"""Compiles `spec.auth`, which says whom a gateway serves, and resolves its references.

If a reference cannot be resolved, the gateway does not serve the clients that depend on it, and a
finding says why: a server that requires authentication is never open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mcp_operator.api.access import AccessRule
from mcp_operator.api.budget import SelectionError
from mcp_operator.api.catalog import ApiKeys, Auth, JsonObject, Jwt
from mcp_operator.api.jwks import KeySetError, public_keys
from mcp_operator.api.reasons import Reason
from mcp_operator.api.selection import rule_when
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.authentication import ApiKeyAuth, JwtAuth
from mcp_operator.api.v1alpha1.common import ConfigMapKeyRef
from mcp_operator.builders.compile_endpoint import (
    Referrer,
    service_of_url,
    tls_secrets,
    url_endpoint,
)
from mcp_operator.builders.compiled import FaultError, Finding, UnresolvedError, backend_secrets
from mcp_operator.builders.references import Facts, References, config_map_value, require_keys
from mcp_operator.builders.urls import ingress_url
from mcp_operator.core.meta import Key


@dataclass(frozen=True, slots=True)
class CompiledAuth:
    """The part of a catalog that says whom the gateway serves.

    Attributes:
        auth: That part.
        finding: Why no client can be authenticated; if it is not blocking, why some cannot.
    """

    auth: Auth
    finding: Finding | None = None


def auth_references(server: MCPServer) -> References:
    """Return everything that `spec.auth` refers to."""
    spec = server.spec.auth
    if spec.api_key is not None:
        keys = (Key(server.namespace, name) for name in spec.api_key.secrets)
        return References(secrets=frozenset(keys))
    if spec.jwt is None:
        return References()
    service = service_of_url(spec.jwt.jwks_uri) if spec.jwt.jwks_uri else None
    config_map = spec.jwt.jwks_config_map_ref
    return References(
        services=frozenset({service} if service else ()),
        config_maps=frozenset({Key(server.namespace, config_map.name)} if config_map else ()),
        secrets=frozenset(Key(server.namespace, name) for name in tls_secrets(spec.jwt.tls)),
    )


def compile_auth(server: MCPServer, facts: Facts) -> CompiledAuth | None:
    """Resolve `spec.auth`; None if every client is served."""
    spec = server.spec.auth
    if spec.type == "None" or server.spec.effective_mode == "Direct":
        return None
    referrer = Referrer("MCPServer", server.namespace, facts)
    compiled = CompiledAuth(Auth())  # an object of an older CRD may set neither: serve nobody
    if spec.api_key is not None:
        compiled = _api_keys(spec.api_key, referrer)
    elif spec.jwt is not None:
        compiled = _jwt(spec.jwt, referrer, default_resource=ingress_url(server) or "")
    rules = tuple(
        AccessRule.model_validate(each.model_dump(exclude={"name"}, exclude_none=True))
        for each in spec.rules
    )
    return replace(compiled, auth=compiled.auth.model_copy(update={"rules": rules}))


def _api_keys(spec: ApiKeyAuth, referrer: Referrer) -> CompiledAuth:
    missing: list[Finding] = []
    for secret in spec.secrets:
        try:
            require_keys(referrer.facts, referrer.local(secret))
        except UnresolvedError as error:
            missing.append(error.finding)  # the gateway reads it again on its own
    keys = ApiKeys(
        header=spec.header.lower(),
        namespace=referrer.namespace,
        name=spec.secret_ref.name if spec.secret_ref else "",
        names=tuple(ref.name for ref in spec.secret_refs),
    )
    return CompiledAuth(Auth(api_keys=keys), _merged(missing, of=len(spec.secrets)))


def _merged(findings: Sequence[Finding], *, of: int) -> Finding | None:
    """Return one finding for all; it is blocking if each of the `of` Secrets has one."""
    if not findings:
        return None
    message = "; ".join(finding.message for finding in findings)
    return replace(findings[0], message=message, blocking=len(findings) == of)


def _jwt(spec: JwtAuth, referrer: Referrer, default_resource: str) -> CompiledAuth:
    keys, endpoint, finding = None, None, None
    try:
        if spec.jwks_config_map_ref is not None:
            keys = _config_map_keys(spec.jwks_config_map_ref, referrer)
        elif spec.jwks_uri is not None:
            endpoint = url_endpoint(spec.jwks_uri, spec.tls, referrer, "auth.jwt.jwksURI")
    except FaultError as error:
        finding = error.finding
    jwt = Jwt(
        issuer=spec.issuer,
        audiences=spec.audiences,
        endpoint=endpoint,
        keys=keys,
        user_claim=spec.user_claim,
        required_scopes=spec.required_scopes,
        scopes_supported=spec.scopes_supported or spec.required_scopes,
        authorization_servers=spec.authorization_servers or (spec.issuer,),
        resource=spec.resource or default_resource,
    )
    return CompiledAuth(Auth(jwt=jwt), finding)


def condition_faults(server: MCPServer) -> Iterator[tuple[int, str]]:
    """Yield the indices of the rules whose `when` cannot be used, each with the reason."""
    for index, rule in enumerate(server.spec.auth.rules):
        if rule.when is None:
            continue
        try:
            rule_when(rule.when)
        except SelectionError as error:
            yield index, str(error)


def not_authenticated(finding: Finding) -> str:
    """Return what a finding of `compile_auth` means for the clients of the server."""
    if finding.blocking:
        return "no client can authenticate, so none is served"
    return "some clients cannot authenticate; the others are served"


def auth_secrets(auth: Auth | None) -> set[str]:
    """Return the names of the Secrets that a gateway must read to authenticate clients."""
    found = {*auth.api_keys.secrets} if auth and auth.api_keys else set[str]()
    if auth and auth.jwt and auth.jwt.endpoint:
        found |= {secret.name for secret in backend_secrets(auth.jwt.endpoint)}
    return found


def _config_map_keys(reference: ConfigMapKeyRef, referrer: Referrer) -> JsonObject:
    config_map = referrer.local(reference.name)
    text = config_map_value(referrer.facts, config_map, reference.key)
    try:
        return {"keys": public_keys(text)}
    except KeySetError as error:
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"the key {reference.key!r} of ConfigMap {config_map} cannot verify tokens: {error}",
        ) from error

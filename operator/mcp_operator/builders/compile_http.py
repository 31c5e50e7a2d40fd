"""The HTTP part that tools and resources share: from references to a catalog `Backend`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mcp_operator.api.catalog import Argument, Backend, Credentials, Header, SecretKey
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.places import PATH_PLACE
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.backend import (
    CredentialsSecret,
    RequestCredentials,
    RequestHeader,
    RequestQuery,
    ServiceRef,
    ValueSource,
)
from mcp_operator.api.v1alpha1.request import RequestBody
from mcp_operator.builders.compiled import InvalidError, UnresolvedError
from mcp_operator.builders.references import (
    Facts,
    References,
    config_map_value,
    require_secret,
    service_port,
)
from mcp_operator.core.meta import Key

_HEADER_VALUE = re.compile(r"[\t -~]*")
"""RFC 9110 §5.5 without obs-text: a value from a ConfigMap must not smuggle in a header."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """What a spec says of one HTTP operation, with everything inherited filled in."""

    service: ServiceRef
    path: str
    method: str
    arguments: tuple[Argument, ...] = ()
    rest: Literal["query", "body"] | None = None
    query: Sequence[RequestQuery] = ()
    headers: Sequence[RequestHeader] = ()
    body: RequestBody | None = None
    forward_headers: Sequence[str] = ()
    content_type: str = "application/json"
    credentials: RequestCredentials | None = None
    timeout: str | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who refers, and the facts that it may be resolved on."""

    kind: str
    namespace: str
    facts: Facts = field(default_factory=Facts)

    def local(self, name: str) -> Key:
        """Return the key of an object beside the referrer."""
        return Key(self.namespace, name)


def path_places(path: str) -> tuple[str, ...]:
    """Return the names of the `{name}` places of a path, in their order."""
    return tuple(place.removeprefix("+") for place in PATH_PLACE.findall(path))


def service_key(service: ServiceRef, namespace: str) -> Key:
    """Return the key of a Service that an object of `namespace` refers to."""
    return Key(service.namespace or namespace, service.name)


def service_host(service: Key) -> str:
    """Return the DNS name of a Service, without the cluster's domain, which pods search."""
    return f"{service.name}.{service.namespace}.svc"


def http_references(call: HttpCall, namespace: str) -> References:
    """Return everything that an HTTP operation refers to."""
    secrets = set(_credential_keys(call.credentials))
    config_maps = set()
    fixed: list[RequestHeader | RequestQuery] = [*call.headers, *call.query]
    for source in (one.value_from for one in fixed if one.value_from):
        if source.secret_key_ref:
            secrets.add(source.secret_key_ref.name)
        if source.config_map_key_ref:
            config_maps.add(source.config_map_key_ref.name)
    if call.service.tls and call.service.tls.ca_secret_ref:
        secrets.add(call.service.tls.ca_secret_ref.name)
    return References(
        services=frozenset({service_key(call.service, namespace)}),
        config_maps=frozenset(Key(namespace, name) for name in config_maps),
        secrets=frozenset(Key(namespace, name) for name in secrets),
    )


def union(references: Iterable[References]) -> References:
    """Return everything that any of them refers to."""
    every = tuple(references)
    return References(
        services=frozenset().union(*(one.services for one in every)),
        config_maps=frozenset().union(*(one.config_maps for one in every)),
        secrets=frozenset().union(*(one.secrets for one in every)),
    )


def compile_backend(call: HttpCall, referrer: Referrer) -> Backend:
    """Resolve an HTTP operation.

    Raises:
        InvalidError: The path is not filled by the arguments.
        UnresolvedError: Something it refers to is missing or does not consent.
    """
    _check_path(call)
    service = service_key(call.service, referrer.namespace)
    port = service_port(
        referrer.facts,
        service,
        call.service.port,
        kind=referrer.kind,
        namespace=referrer.namespace,
    )
    tls = call.service.tls
    return Backend(
        scheme=call.service.scheme,
        host=service_host(service),
        port=port,
        method=call.method,
        path=call.path,
        arguments=call.arguments,
        rest=call.rest,
        query=tuple(_fixed(one, f"query parameter {one.name}", referrer) for one in call.query),
        headers=tuple(_fixed(one, f"header {one.name}", referrer) for one in call.headers),
        body_from=(call.body.from_ or "") if call.body else "",
        constants=call.body.constants if call.body else {},
        forward_headers=tuple(name.lower() for name in call.forward_headers),
        content_type=call.content_type,
        credentials=_credentials(call.credentials, referrer) if call.credentials else None,
        ca=_secret(referrer, tls.ca_secret_ref.name, tls.ca_secret_ref.key)
        if tls and tls.ca_secret_ref
        else None,
        server_name=(tls.server_name or "") if tls else "",
        insecure_skip_verify=tls.insecure_skip_verify if tls else False,
        timeout_seconds=parse_duration(call.timeout) if call.timeout else None,
        max_response_bytes=call.max_bytes,
    )


def _check_path(call: HttpCall) -> None:
    """Every brace belongs to a place, and exactly one argument fills each place."""
    if not {"{", "}"}.isdisjoint(PATH_PLACE.sub("", call.path)):
        raise InvalidError(
            Reason.INVALID,
            f"the path {call.path} has a brace outside of a {{name}}: write %7B or %7D for a brace",
        )
    targets = [argument.target for argument in call.arguments if argument.location == "path"]
    for place in path_places(call.path):
        if targets.count(place) != 1:
            number = "two arguments fill" if place in targets else "no argument fills"
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"{number} {{{place}}} of the path {call.path}: map one to it with in: path",
            )


def _credential_keys(credentials: RequestCredentials | None) -> Iterator[str]:
    if credentials is not None:
        yield credentials.secret_ref.name


def _secret(referrer: Referrer, name: str, key: str) -> SecretKey:
    require_secret(referrer.facts, referrer.local(name), key)
    return SecretKey(namespace=referrer.namespace, name=name, key=key)


def _fixed(written: RequestHeader | RequestQuery, what: str, referrer: Referrer) -> Header:
    """Resolve a constant header or query parameter."""
    source = written.value_from
    if source is None:
        return Header(name=written.name, value=written.value)
    if source.secret_key_ref is not None:
        reference = source.secret_key_ref
        return Header(name=written.name, secret=_secret(referrer, reference.name, reference.key))
    return Header(name=written.name, value=_config_map_text(source, what, referrer))


def _config_map_text(source: ValueSource, what: str, referrer: Referrer) -> str:
    if source.config_map_key_ref is None:
        raise UnresolvedError(Reason.CONFIG_MAP_NOT_FOUND, f"{what} has no source")
    config_map = referrer.local(source.config_map_key_ref.name)
    key = source.config_map_key_ref.key
    value = config_map_value(referrer.facts, config_map, key)
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value.strip()):
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"{what}: key {key!r} of ConfigMap {config_map} is not one line of printable ASCII",
        )
    return value.strip()


def _credentials(credentials: RequestCredentials, referrer: Referrer) -> Credentials:
    reference: CredentialsSecret = credentials.secret_ref
    if credentials.type == "Basic":
        return Credentials(
            type="Basic",
            secret=_secret(referrer, reference.name, reference.password_key),
            username=_secret(referrer, reference.name, reference.username_key),
        )
    return Credentials(
        type=credentials.type,
        header=credentials.header or "Authorization",
        secret=_secret(referrer, reference.name, reference.key),
    )

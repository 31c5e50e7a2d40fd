"""The HTTP part that tools and resources share: from references to a catalog `Backend`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from mcp_operator.api.catalog import Argument, Backend, Header
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.places import PATH_PLACE
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.backend import (
    External,
    RequestHeader,
    RequestQuery,
    ServiceRef,
    ValueSource,
)
from mcp_operator.api.v1alpha1.request import RequestFields
from mcp_operator.builders.compile_credentials import compile_credentials, credential_references
from mcp_operator.builders.compile_endpoint import (
    Referrer,
    external_endpoint,
    service_endpoint,
    service_key,
    tls_secrets,
)
from mcp_operator.builders.compiled import InvalidError, UnresolvedError
from mcp_operator.builders.references import References, config_map_value
from mcp_operator.core.meta import Key

__all__ = [
    "HttpCall",
    "Referrer",
    "compile_backend",
    "http_references",
    "path_places",
    "union",
]

_IN_HEADER = re.compile(r"[\t -~]*"), "printable ASCII"
"""RFC 9110 §5.5 without obs-text: a value from a ConfigMap must not smuggle in a header."""

_IN_QUERY = re.compile(r"[^\x00-\x1f\x7f]*"), "text without control characters"
"""What `QueryValue` allows, since it is encoded."""


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP operation of a spec, with the inherited fields filled in."""

    service: ServiceRef | None
    path: str
    method: str
    request: RequestFields
    external: External | None = None
    arguments: tuple[Argument, ...] = ()
    rest: Literal["query", "body"] | None = None
    timeout: str | None = None
    max_bytes: int | None = None


def path_places(path: str) -> tuple[str, ...]:
    """Return the names of the `{name}` places of a path, in order."""
    return tuple(place.removeprefix("+") for place in PATH_PLACE.findall(path))


def http_references(call: HttpCall, namespace: str) -> References:
    """Return everything that an HTTP operation refers to."""
    secrets, config_maps = set[str](), set[str]()
    fixed: list[RequestHeader | RequestQuery] = [*call.request.headers, *call.request.query]
    for source in (one.value_from for one in fixed if one.value_from):
        if source.secret_key_ref:
            secrets.add(source.secret_key_ref.name)
        if source.config_map_key_ref:
            config_maps.add(source.config_map_key_ref.name)
    for target in (call.service, call.external):
        secrets |= tls_secrets(target.tls) if target else set()
    own = References(
        services=frozenset({service_key(call.service, namespace)} if call.service else ()),
        config_maps=frozenset(Key(namespace, name) for name in config_maps),
        secrets=frozenset(Key(namespace, name) for name in secrets),
    )
    return union([own, credential_references(call.request.credentials, namespace)])


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
        InvalidError: The arguments do not fill the path.
        UnresolvedError: An object that it refers to is missing or does not consent.
    """
    endpoint, request = _endpoint(call, referrer), call.request
    _check_path(endpoint.path, call.arguments)
    body, credentials = request.body, request.credentials
    return endpoint.model_copy(
        update={
            "method": call.method,
            "arguments": call.arguments,
            "rest": call.rest,
            "query": tuple(
                _fixed(one, f"query parameter {one.name}", referrer) for one in request.query
            ),
            "headers": tuple(
                _fixed(one, f"header {one.name}", referrer) for one in request.headers
            ),
            "body_from": (body.from_ or "") if body else "",
            "constants": body.constants if body else {},
            "forward_headers": tuple(name.lower() for name in request.forward_headers),
            "content_type": request.content_type,
            "credentials": compile_credentials(credentials, referrer) if credentials else None,
            "timeout_seconds": parse_duration(call.timeout) if call.timeout else None,
            "max_response_bytes": call.max_bytes,
        }
    )


def _endpoint(call: HttpCall, referrer: Referrer) -> Backend:
    if call.service is not None:
        return service_endpoint(call.service, call.path, referrer)
    if call.external is not None:
        return external_endpoint(call.external, call.path, referrer)
    raise InvalidError(Reason.INVALID, "spec sets neither service nor external: set one of them")


def _check_path(path: str, arguments: Sequence[Argument]) -> None:
    """Check that every brace belongs to a place, and that one argument fills each place."""
    if not {"{", "}"}.isdisjoint(PATH_PLACE.sub("", path)):
        raise InvalidError(
            Reason.INVALID,
            f"the path {path} has a brace outside of a {{name}}: for a literal brace, write %7B or "
            "%7D",
        )
    targets = [argument.target for argument in arguments if argument.location == "path"]
    for place in path_places(path):
        if targets.count(place) != 1:
            number = "two arguments fill" if place in targets else "no argument fills"
            raise InvalidError(
                Reason.UNDECLARED_ARGUMENT,
                f"{number} {{{place}}} of the path {path}: map one to it with in: path",
            )


def _fixed(written: RequestHeader | RequestQuery, what: str, referrer: Referrer) -> Header:
    """Resolve a constant header or query parameter."""
    source = written.value_from
    if source is None:
        return Header(name=written.name, value=written.value)
    if source.secret_key_ref is not None:
        reference = source.secret_key_ref
        return Header(name=written.name, secret=referrer.secret(reference.name, reference.key))
    form, kind = _IN_QUERY if isinstance(written, RequestQuery) else _IN_HEADER
    value = _config_map_text(source, what, referrer, form, kind)
    return Header(name=written.name, value=value)


def _config_map_text(
    source: ValueSource, what: str, referrer: Referrer, form: re.Pattern[str], kind: str
) -> str:
    if source.config_map_key_ref is None:
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"{what} sets neither value nor a reference: set one of them",
        )
    config_map = referrer.local(source.config_map_key_ref.name)
    key = source.config_map_key_ref.key
    value = config_map_value(referrer.facts, config_map, key)
    if not isinstance(value, str) or not form.fullmatch(value.strip()):
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND,
            f"{what}: key {key!r} of ConfigMap {config_map} is not one line of {kind}",
        )
    return value.strip()

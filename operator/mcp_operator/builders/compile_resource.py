"""Compiles an MCPResource: inline content, content of another object, or HTTP operations."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from mcp_operator.api.catalog import Argument, JsonObject, ResourceEntry, SecretKey, SourceRef
from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.durations import parse_duration
from mcp_operator.api.reasons import Reason
from mcp_operator.api.uritemplates import TemplateError, UriTemplate
from mcp_operator.api.v1alpha1 import MCPResource
from mcp_operator.api.v1alpha1.mcpresource import ContentSource, ResourceOperation
from mcp_operator.builders.check_request import IN_RESOURCE, check_request
from mcp_operator.builders.check_texts import hidden_in, joined_base64
from mcp_operator.builders.compile_cache import compile_cache
from mcp_operator.builders.compile_http import (
    HttpCall,
    Referrer,
    compile_backend,
    http_references,
    path_places,
    union,
)
from mcp_operator.builders.compile_icons import compile_icons
from mcp_operator.builders.compile_response import compile_response
from mcp_operator.builders.compiled import (
    Compiled,
    Entry,
    FaultError,
    Finding,
    InvalidError,
    UnresolvedError,
    entry_key_of,
    remark,
)
from mcp_operator.builders.references import (
    Facts,
    References,
    config_map_value,
    require_secret,
)
from mcp_operator.core.meta import Key

MIN_POLL_SECONDS = 1.0
"""The shortest pause between two reads of a resource that clients have subscribed to."""


def resource_references(resource: MCPResource) -> References:
    """Return everything that the resource refers to; nothing if it is disabled."""
    if not resource.spec.enabled:
        return References()
    source = resource.spec.content_from
    local = References(
        config_maps=frozenset({Key(resource.namespace, source.config_map_key_ref.name)})
        if source and source.config_map_key_ref
        else frozenset(),
        secrets=frozenset({Key(resource.namespace, source.secret_key_ref.name)})
        if source and source.secret_key_ref
        else frozenset(),
    )
    operations = resource.spec.operations
    return union([local, *(http_references(_call(o, ()), resource.namespace) for o in operations)])


def resource_identities(resource: MCPResource) -> frozenset[str]:
    """Return the URIs and URI templates that the resource declares."""
    spec = resource.spec
    inline = {content.uri for content in (spec.content, spec.content_from) if content is not None}
    operations = {
        "".join(_identity(resource, operation, _arguments(operation)))
        for operation in spec.operations
    }
    return frozenset(inline | operations)


def compile_resource(resource: MCPResource, facts: Facts) -> Compiled:
    """Compile the content or every operation; a faulty operation is left out and reported."""
    entries: dict[str, Entry] = {}
    findings: list[Finding] = []
    if resource.spec.enabled:
        referrer = Referrer("MCPResource", resource.namespace, facts)
        for index, outcome in enumerate(_outcomes(resource, referrer)):
            if isinstance(outcome, Finding):
                findings.append(outcome)
            elif (identity := entry_key_of(outcome).identity) in entries:
                findings.append(
                    Finding(
                        ConditionType.ACCEPTED,
                        Reason.DUPLICATE_NAME,
                        f"operations[{index}]: another operation has the URI {identity}, too: "
                        "give one of them another URI",
                    )
                )
            else:
                entries[identity] = outcome
    findings.extend(_remarks(resource))
    return Compiled(
        "MCPResource",
        Key(resource.namespace, resource.name),
        resource.metadata.get("creationTimestamp", ""),
        tuple(entries.values()),
        tuple(findings),
    )


def _remarks(resource: MCPResource) -> Iterator[Finding]:
    spec = resource.spec
    yield from hidden_in({"title": spec.title, "description": spec.description})
    if not resource.spec.enabled:
        yield remark(Reason.DISABLED, "enabled is false")
    elif any(operation.ingress_path is not None for operation in resource.spec.operations):
        yield remark(
            Reason.INGRESS_PATH_IGNORED,
            "ingressPath has no effect: clients read every resource at the server's one endpoint",
        )


def _outcomes(resource: MCPResource, referrer: Referrer) -> Iterator[ResourceEntry | Finding]:
    spec = resource.spec
    try:
        if spec.content is None and spec.content_from is None and not spec.operations:
            raise InvalidError(  # a newer CRD may accept what this release does not know
                Reason.INVALID,
                "spec sets none of content, contentFrom and operations: set one of them",
            )
        if spec.content is not None:
            blob = spec.content.blob
            yield _entry(
                resource,
                uri=spec.content.uri,
                mime_type=spec.content.mime_type,
                text=spec.content.text,
                blob=blob and joined_base64(blob, "content.blob"),
            )
        if spec.content_from is not None:
            yield _from_object(resource, spec.content_from, referrer)
    except FaultError as error:
        yield error.finding
    for index, operation in enumerate(spec.operations):
        try:
            yield _operation(resource, operation, referrer)
        except FaultError as error:
            finding = error.finding
            yield Finding(
                finding.condition, finding.reason, f"operations[{index}]: {finding.message}"
            )


def _from_object(resource: MCPResource, source: ContentSource, referrer: Referrer) -> ResourceEntry:
    if source.secret_key_ref is not None:
        reference = source.secret_key_ref
        require_secret(referrer.facts, referrer.local(reference.name), reference.key)
        secret = SecretKey(namespace=resource.namespace, name=reference.name, key=reference.key)
        return _entry(resource, uri=source.uri, mime_type=source.mime_type, secret=secret)
    if source.config_map_key_ref is None:
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND,
            "contentFrom names neither a ConfigMap nor a Secret: set one",
        )
    config_map = referrer.local(source.config_map_key_ref.name)
    content = config_map_value(referrer.facts, config_map, source.config_map_key_ref.key)
    if isinstance(content, str):
        return _entry(resource, uri=source.uri, mime_type=source.mime_type, text=content)
    blob = base64.b64encode(content).decode()
    return _entry(resource, uri=source.uri, mime_type=source.mime_type, blob=blob)


def _operation(
    resource: MCPResource, operation: ResourceOperation, referrer: Referrer
) -> ResourceEntry:
    arguments = _arguments(operation)
    uri, template = _identity(resource, operation, arguments)
    field = "uri" if operation.uri else "uriTemplate" if operation.uri_template else "ingressPath"
    _check_names(field, uri or template, arguments)
    check_request(operation, arguments, IN_RESOURCE)
    response = compile_response(operation, field="")
    return _entry(
        resource,
        name=operation.name or resource.spec.name,
        title=operation.title or resource.spec.title or "",
        uri=uri,
        uri_template=template,
        mime_type=operation.mime_type or "",
        backend=compile_backend(_call(operation, arguments), referrer),
        response=response.model_copy(update={"mime_type": ""}),
        cache=compile_cache(operation.cache),
        poll_seconds=_poll_seconds(operation),
    )


def _poll_seconds(operation: ResourceOperation) -> float | None:
    if operation.subscribe is None:
        return None
    seconds = parse_duration(operation.subscribe.interval)
    if seconds < MIN_POLL_SECONDS:
        problem = f"subscribe.interval is {operation.subscribe.interval}: set it to 1s or more"
        raise InvalidError(Reason.INVALID, problem)
    return seconds


def _call(operation: ResourceOperation, arguments: tuple[Argument, ...]) -> HttpCall:
    return HttpCall(
        service=operation.service,
        external=operation.external,
        path=operation.path,
        method=operation.method,
        arguments=arguments,
        request=operation,
        timeout=operation.timeout,
        max_bytes=operation.max_bytes,
    )


def _arguments(operation: ResourceOperation) -> tuple[Argument, ...]:
    """Return the declared parameters, and a required one for each other place of the path."""
    declared = {
        parameter.name: Argument(
            name=parameter.name,
            location=parameter.location,
            target=parameter.target or parameter.name,
            style=parameter.style,
            explode=parameter.explode,
            allow_reserved=parameter.allow_reserved,
            required=parameter.required or parameter.location == "path",
            default=parameter.default,
            enum=parameter.enum,
        )
        for parameter in operation.parameters
    }
    filled = {one.target for one in declared.values() if one.location == "path"}
    for place in path_places(operation.path):
        if place in filled:
            continue
        declared.setdefault(
            place, Argument(name=place, location="path", target=place, required=True)
        )
    return tuple(declared.values())


def _identity(
    resource: MCPResource, operation: ResourceOperation, arguments: tuple[Argument, ...]
) -> tuple[str, str]:
    """Return (uri, template), one of them empty; derived from ingressPath if neither is set."""
    if operation.uri:
        return operation.uri, ""
    if operation.uri_template:
        return "", operation.uri_template
    path = operation.ingress_path or "/"
    query = [a.name for a in arguments if a.location != "path" and f"{{{a.name}}}" not in path]
    derived = f"mcp://{resource.namespace}/{resource.name}{path}"
    if query:
        derived += "{?" + ",".join(query) + "}"
    return ("", derived) if "{" in derived else (derived, "")


def _check_names(field: str, identity: str, arguments: tuple[Argument, ...]) -> None:
    """Every variable of the URI must be an argument, every required argument a variable.

    Args:
        field: The field that the URI comes from.
        identity: The URI or URI template.
        arguments: The arguments of the request.
    """
    try:
        names = UriTemplate(identity).names
    except TemplateError as error:
        raise InvalidError(Reason.INVALID, str(error)) from error
    known = {argument.name for argument in arguments}
    if extra := sorted(names - known):
        raise InvalidError(
            Reason.UNDECLARED_ARGUMENT,
            f"{field}: the URI {identity} names {', '.join(extra)}, which neither the path nor "
            "parameters declare: add it to parameters, or correct the name",
        )
    absent = sorted(
        a.name for a in arguments if a.required and a.default is None and a.name not in names
    )
    if absent:
        places = ", ".join(f"{{{name}}}" for name in absent)
        how = f"use uriTemplate, with {places}" if field == "uri" else f"add {places} to it"
        raise InvalidError(
            Reason.UNDECLARED_ARGUMENT,
            f"{field}: the URI {identity} does not name the required {', '.join(absent)}: {how}",
        )


def _entry(
    resource: MCPResource,
    *,
    uri: str,
    mime_type: str,
    name: str = "",
    title: str = "",
    **content: object,
) -> ResourceEntry:
    spec = resource.spec
    return ResourceEntry(
        name=name or spec.name,
        title=title or spec.title or "",
        description=spec.description,
        icons=compile_icons(spec.icons),
        uri=uri,
        mime_type=mime_type,
        annotations=_annotations(resource),
        source=SourceRef(kind="MCPResource", namespace=resource.namespace, name=resource.name),
        **content,
    )


def _annotations(resource: MCPResource) -> JsonObject:
    given = resource.spec.annotations
    if given is None:
        return {}
    annotations: JsonObject = {}
    if given.audience:
        annotations["audience"] = list(given.audience)
    if given.priority is not None:
        annotations["priority"] = float(given.priority)
    return annotations

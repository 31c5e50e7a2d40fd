"""Resolves the references of a spec, from facts that the caller has gathered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import UnresolvedError
from mcp_operator.core.meta import Key, Object, annotations_of

ALLOW_ANNOTATION = "mcp-operator.dev/allow-from"
"""On a Service: the namespaces, separated by commas, whose MCPTools and MCPResources may refer to
it; `*` stands for all. On a tool, prompt or resource: those whose MCPServers may serve it. If the
Gateway API is installed, a ReferenceGrant has the same effect."""

API_GROUP = "mcp-operator.dev"

ANY_NAME = "*"
"""Stands for every name, like a ReferenceGrant without a name; no object can have this name."""

Granted = frozenset[tuple[str, str, str]]
"""API groups, kinds and names."""

WELL_KNOWN = {"http": 80, "https": 443}
"""The ports that these names stand for if the Service is not known."""


_CREATE: Final = ": create it, or correct the name"
_ADD: Final = ": add it, or correct the key"


@dataclass(frozen=True, slots=True)
class References:
    """The objects that an object refers to by name."""

    services: frozenset[Key] = frozenset()
    config_maps: frozenset[Key] = frozenset()
    secrets: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Facts:
    """The referenced objects as they are; a name that maps to None does not exist.

    Attributes:
        services: Service objects.
        grants: ReferenceGrant objects of the namespaces of those Services.
        config_maps: The texts and the bytes of each ConfigMap by key.
        secrets: The keys of each Secret, never the values.
        denied: Secrets that the operator has no permission to read.
        check_services: False if Services are unknown, as for files without a cluster. Every
            reference to a Service then resolves, and ports must be numbers.
    """

    services: Mapping[Key, Object | None] = field(default_factory=dict)
    grants: Sequence[Object] = ()
    config_maps: Mapping[Key, Mapping[str, str | bytes] | None] = field(default_factory=dict)
    secrets: Mapping[Key, frozenset[str] | None] = field(default_factory=dict)
    denied: frozenset[Key] = frozenset()
    check_services: bool = True
    external_hosts: tuple[str, ...] = ()


def service_port(facts: Facts, service: Key, port: int | str, *, kind: str, namespace: str) -> int:
    """Return the number of a Service's port, given by number or name.

    Args:
        facts: The referenced objects.
        service: The Service.
        port: A number or a port name.
        kind: The kind of the referring object.
        namespace: Its namespace.

    Raises:
        UnresolvedError: The Service or port does not exist, or the reference is not permitted.
    """
    found = facts.services.get(service)
    if not facts.check_services:
        if isinstance(port, str) and found is not None:
            return _declared(found, service, port)
        return _numeric(port, service)
    if found is None:
        raise UnresolvedError(
            Reason.SERVICE_NOT_FOUND, f"Service {service} does not exist{_CREATE}"
        )
    if service.namespace != namespace and not consents(
        found, facts.grants, group="", kind=kind, namespace=namespace
    ):
        raise UnresolvedError(
            Reason.REF_NOT_PERMITTED,
            f"Service {service} does not allow references from namespace {namespace}: annotate it "
            f"with {ALLOW_ANNOTATION}: {namespace}, or add a ReferenceGrant",
        )
    if found["spec"].get("type") == "ExternalName":
        raise UnresolvedError(
            Reason.SERVICE_UNSUPPORTED,
            f"Service {service} has type ExternalName, which is not supported: refer to a "
            "Service with a cluster address",
        )
    return _declared(found, service, port)


def config_map_value(facts: Facts, config_map: Key, key: str) -> str | bytes:
    """Return one value of a ConfigMap.

    Raises:
        UnresolvedError: The ConfigMap or the key does not exist.
    """
    content = facts.config_maps.get(config_map)
    if content is None:
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND, f"ConfigMap {config_map} does not exist{_CREATE}"
        )
    if key not in content:
        raise UnresolvedError(
            Reason.CONFIG_MAP_NOT_FOUND, f"ConfigMap {config_map} has no key {key!r}{_ADD}"
        )
    return content[key]


def require_secret(facts: Facts, secret: Key, key: str) -> None:
    """Check that a Secret has a key.

    Raises:
        UnresolvedError: It does not have the key, does not exist, or reading it is forbidden.
    """
    if key not in _keys(facts, secret):
        raise UnresolvedError(Reason.SECRET_NOT_FOUND, f"Secret {secret} has no key {key!r}{_ADD}")


def require_keys(facts: Facts, secret: Key) -> None:
    """Check that a Secret has keys at all.

    Raises:
        UnresolvedError: It has none, does not exist, or reading it is forbidden.
    """
    if not _keys(facts, secret):
        raise UnresolvedError(Reason.SECRET_NOT_FOUND, f"Secret {secret} has no keys: add one")


def _keys(facts: Facts, secret: Key) -> frozenset[str]:
    if secret in facts.denied:
        raise UnresolvedError(
            Reason.REF_NOT_PERMITTED,
            f"the operator is not allowed to read Secret {secret}: grant it the verb get on "
            "this Secret",
        )
    keys = facts.secrets.get(secret)
    if keys is None:
        raise UnresolvedError(Reason.SECRET_NOT_FOUND, f"Secret {secret} does not exist{_CREATE}")
    return keys


def _numeric(port: int | str, service: Key) -> int:
    if isinstance(port, int) or port.isdecimal():
        return int(port)
    if port in WELL_KNOWN:
        return WELL_KNOWN[port]
    raise UnresolvedError(
        Reason.PORT_NOT_FOUND,
        f"port {port!r} of Service {service} is a name, and the Service is not in the files: add "
        "the Service, or use the number of the port",
    )


def _declared(service: Object, key: Key, port: int | str) -> int:
    ports = service["spec"].get("ports") or []
    for declared in ports:
        if port in (declared["port"], str(declared["port"]), declared.get("name")):
            return int(declared["port"])
    listed = ", ".join(_port_label(declared) for declared in ports)
    remedy = f"use one of: {listed}" if ports else "it has no ports"
    raise UnresolvedError(Reason.PORT_NOT_FOUND, f"Service {key} has no port {port}; {remedy}")


def _port_label(port: Object) -> str:
    return f"{port['port']} ({port['name']})" if port.get("name") else str(port["port"])


def consents(
    target: Object, grants: Iterable[Object], *, group: str, kind: str, namespace: str
) -> bool:
    """Return whether an object permits references from another namespace.

    Args:
        target: The object, which may have the annotation `ALLOW_ANNOTATION`.
        grants: ReferenceGrants.
        group: The API group of the object.
        kind: The kind of the referring object, in our API group.
        namespace: The namespace of the referring object.
    """
    metadata = target["metadata"]
    near = (each for each in grants if each["metadata"]["namespace"] == metadata["namespace"])
    return allows(target, namespace) or is_granted(target, granted(near, kind, namespace), group)


def allows(target: Object, namespace: str) -> bool:
    """Return whether the annotation of an object lets a namespace refer to it."""
    allowed = annotations_of(target).get(ALLOW_ANNOTATION, "")
    named = {part.strip() for part in allowed.split(",")}
    return "*" in named or namespace in named


def granted(grants: Iterable[Object], kind: str, namespace: str) -> Granted:
    """Return what ReferenceGrants of one namespace permit: from any `from` to any `to`.

    Args:
        grants: The gateway.networking.k8s.io ReferenceGrants.
        kind: The kind of the referring object, in our API group.
        namespace: The namespace of the referring object.
    """
    return frozenset(
        (to.get("group", ""), to.get("kind", ""), to.get("name", ANY_NAME))
        for grant in grants
        if _lets_in(grant.get("spec") or {}, kind, namespace)
        for to in grant["spec"].get("to") or ()
    )


def is_granted(target: Object, found: Granted, group: str) -> bool:
    """Return whether ReferenceGrants permit references to an object of an API group."""
    kind = target.get("kind", "Service")
    names = (ANY_NAME, target["metadata"]["name"]) if found else ()
    return any((group, kind, name) in found for name in names)


def _lets_in(spec: Object, kind: str, namespace: str) -> bool:
    return any(
        (source.get("group"), source.get("kind"), source.get("namespace"))
        == (API_GROUP, kind, namespace)
        for source in spec.get("from") or ()
    )

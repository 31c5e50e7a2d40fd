"""Compiles where a request goes: to a Service of the cluster, or to an allowed external host."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcp_operator.api.catalog import Backend, SecretKey
from mcp_operator.api.hosts import SERVICE_HOST, is_allowed, split_url
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.backend import External, ServiceRef, ServiceTls
from mcp_operator.builders.compiled import InvalidError, UnresolvedError
from mcp_operator.builders.references import Facts, require_secret, service_port
from mcp_operator.core.meta import Key

LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Referrer:
    """The object that has references, and the facts to resolve them with."""

    kind: str
    namespace: str
    facts: Facts = field(default_factory=Facts)

    def local(self, name: str) -> Key:
        """Return the key of an object in the namespace of the referrer."""
        return Key(self.namespace, name)

    def secret(self, name: str, key: str) -> SecretKey:
        """Return a key of a Secret in the namespace of the referrer.

        Raises:
            UnresolvedError: It does not exist, or the operator has no permission to read it.
        """
        require_secret(self.facts, self.local(name), key)
        return SecretKey(namespace=self.namespace, name=name, key=key)


def service_key(service: ServiceRef, namespace: str) -> Key:
    """Return the key of a Service that an object of `namespace` refers to."""
    return Key(service.namespace or namespace, service.name)


def service_of_url(url: str) -> Key | None:
    """Return the Service that a URL names; None if the URL leads outside of the cluster."""
    found = SERVICE_HOST.fullmatch(split_url(url)[1])
    return Key(found[2], found[1]) if found else None


def service_host(service: Key) -> str:
    """Return the DNS name of a Service; the gateway adds the domain of its cluster."""
    return f"{service.name}.{service.namespace}.svc"


def service_endpoint(service: ServiceRef, path: str, referrer: Referrer) -> Backend:
    """Return the backend for a Service.

    Raises:
        UnresolvedError: The Service, its port or a Secret is missing or not permitted.
    """
    key = service_key(service, referrer.namespace)
    backend = Backend(
        scheme=service.scheme,
        host=service_host(key),
        port=_port(key, service.port, referrer),
        virtual_host=service.host or "",
        path=path,
    )
    return _with_tls(backend, service.tls, referrer)


def external_endpoint(external: External, path: str, referrer: Referrer) -> Backend:
    """Return the backend for a host outside of the cluster.

    Raises:
        InvalidError: The port of the URL is not valid.
        UnresolvedError: The installation does not allow the host, or a Secret is missing.
    """
    backend = url_endpoint(external.url, external.tls, referrer, "external.url")
    return backend.model_copy(update={"path": path})


def url_endpoint(url: str, tls: ServiceTls | None, referrer: Referrer, what: str) -> Backend:
    """Return the backend for the URL of a Service or of an allowed external host.

    Raises:
        InvalidError: The port of the URL is not valid.
        UnresolvedError: The Service, its port or a Secret is missing, or the host is not allowed.
    """
    scheme, host, port, path = split_url(url) if _has_port(url) else _refuse(what)
    service = service_of_url(url)
    if service is not None and what != "external.url":
        port = _port(service, port, referrer)
    elif not is_allowed(host, referrer.facts.external_hosts):
        raise UnresolvedError(
            Reason.REF_NOT_PERMITTED,
            f"{what}: this installation does not allow the host {host}: "
            f"{_remedy(host, is_service=service is not None)}",
        )
    backend = Backend.model_validate(
        {"scheme": scheme, "host": host, "port": port, "path": path, "external": service is None}
    )
    return _with_tls(backend, tls, referrer)


def _remedy(host: str, *, is_service: bool) -> str:
    if is_service:
        return "it is a Service of the cluster, so use service"
    if not is_allowed(host, ["*"]):
        return "use the public name of the host, instead of an address or a local name"
    return (
        "an administrator can, with the operator's --external-host, or config.externalHosts of the "
        "Helm chart"
    )


def _has_port(url: str) -> bool:
    try:
        split_url(url)
    except ValueError:
        return False
    return True


def _refuse(what: str) -> tuple[str, str, int, str]:
    raise InvalidError(Reason.INVALID, f"{what}: the port must be at most {LAST_PORT}")


def _port(service: Key, port: int | str, referrer: Referrer) -> int:
    return service_port(
        referrer.facts, service, port, kind=referrer.kind, namespace=referrer.namespace
    )


def _with_tls(backend: Backend, tls: ServiceTls | None, referrer: Referrer) -> Backend:
    if tls is None:
        return backend
    pair = tls.client_certificate_secret_ref
    return backend.model_copy(
        update={
            "ca": referrer.secret(tls.ca_secret_ref.name, tls.ca_secret_ref.key)
            if tls.ca_secret_ref
            else None,
            "client_certificate": referrer.secret(pair.name, "tls.crt") if pair else None,
            "client_key": referrer.secret(pair.name, "tls.key") if pair else None,
            "server_name": tls.server_name or "",
            "insecure_skip_verify": tls.insecure_skip_verify,
        }
    )


def tls_secrets(tls: ServiceTls | None) -> set[str]:
    """Return the names of the Secrets that TLS needs."""
    if tls is None:
        return set()
    found = {tls.ca_secret_ref.name} if tls.ca_secret_ref else set()
    pair = tls.client_certificate_secret_ref
    return found | ({pair.name} if pair else set())

"""Facts about the cluster that a server's children depend on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcp_operator.api.catalog import Backend, Catalog
from mcp_operator.api.hosts import SERVICE_HOST
from mcp_operator.core.meta import Key, Object

API_SERVER: Final = Key("default", "kubernetes")
"""The Service of the API server, in every cluster."""

API_SERVER_PORTS: Final = (443, 6443)
"""The ports behind that Service, in case it cannot be read: 443 with most cloud providers, 6443
with kubeadm (its default `bindPort`), kind and k3s."""


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """Pods that a server's tools and resources call.

    Attributes:
        namespace: Where the pods are.
        labels: The selector of their Service.
        ports: The ports of the pods, by number or by name, as text.
    """

    namespace: str
    labels: tuple[tuple[str, str], ...]
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """Facts about the cluster.

    Attributes:
        destinations: The pods behind the Services that the catalog names, sorted.
        without_selector: The Services that the catalog names and that have no selector, sorted.
        api_server_ports: The ports of the API server, both of its Service and of its endpoints.
        has_gateway_api: Whether the cluster serves HTTPRoutes.
        external_ports: The ports of hosts outside of the cluster, in order.
    """

    destinations: tuple[Destination, ...] = ()
    without_selector: tuple[Key, ...] = ()
    api_server_ports: tuple[int, ...] = API_SERVER_PORTS
    has_gateway_api: bool = True
    external_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """What the tools and resources of a catalog call.

    Attributes:
        services: The ports of each Service.
        external_ports: The ports of hosts outside of the cluster.
    """

    services: Mapping[Key, Collection[int]] = field(default_factory=dict)
    external_ports: Collection[int] = ()


def called_by(catalog: Catalog, also: Mapping[Key, int] | None = None) -> Called:
    """Return the Services and ports that pods call, for a catalog and for themselves.

    Args:
        catalog: The catalog.
        also: Services that the catalog does not name, each with its port.
    """
    services = {key: {port} for key, port in (also or {}).items()}
    outside = set[int]()
    for backend in _backends(catalog):
        if backend.external:
            outside.add(backend.port)
            continue
        name, namespace, _ = backend.host.split(".", 2)  # as `service_host` joined it
        services.setdefault(Key(namespace, name), set()).add(backend.port)
    redis = catalog.server.redis
    if redis and (found := SERVICE_HOST.fullmatch(redis.host)):
        services.setdefault(Key(found[2], found[1]), set()).add(redis.port)
    return Called(services, outside)


def gather_cluster_facts(
    called: Called, service: Callable[[Key], Object | None], *, has_gateway_api: bool
) -> ClusterFacts:
    """Collect the facts that the children of a server depend on.

    Args:
        called: What the server's catalog calls.
        service: Returns a Service by its key, or None if it does not exist.
        has_gateway_api: Whether the cluster serves HTTPRoutes.
    """
    ports: dict[tuple[str, tuple[tuple[str, str], ...]], set[str]] = {}
    without_selector = []
    for key, numbers in called.services.items():
        found = service(key)
        selector = (found or {}).get("spec", {}).get("selector")
        if found is None or not selector:
            without_selector.append(key)
            continue
        pods = (key.namespace, tuple(sorted(selector.items())))
        ports.setdefault(pods, set()).update(_pod_port(found, number) for number in numbers)
    return ClusterFacts(
        tuple(sorted(Destination(*pods, tuple(sorted(names))) for pods, names in ports.items())),
        tuple(sorted(without_selector)),
        _api_server_ports(service(API_SERVER)),
        has_gateway_api,
        tuple(sorted(called.external_ports)),
    )


def _backends(catalog: Catalog) -> Iterator[Backend]:
    """Yield every backend, including token endpoints and the keys of clients' tokens."""
    auth = catalog.server.auth
    if auth and auth.jwt and auth.jwt.endpoint:
        yield auth.jwt.endpoint
    backends = [tool.backend for tool in catalog.tools]
    backends += [resource.backend for resource in catalog.resources if resource.backend]
    for backend in backends:
        yield backend
        if backend.credentials and backend.credentials.oauth2:
            yield backend.credentials.oauth2.endpoint


def _pod_port(service: Object, number: int) -> str:
    """Return the port of the pods that a port of a Service forwards to.

    A headless Service does not forward: its name resolves to the pods, and the port is theirs.
    """
    spec = service["spec"]
    for port in spec.get("ports") or ():
        if port["port"] == number and spec.get("clusterIP") != "None":
            return str(port.get("targetPort", number))
    return str(number)


def _api_server_ports(service: Object | None) -> tuple[int, ...]:
    """Return both ports: network plugins apply policies before or after address translation."""
    if service is None:
        return API_SERVER_PORTS
    ports = service["spec"]["ports"]
    numbers = {port[name] for port in ports for name in ("port", "targetPort") if name in port}
    return tuple(sorted(number for number in numbers if isinstance(number, int)))

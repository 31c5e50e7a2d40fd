"""Decides which addresses a backend can have; checked when the connection is opened.

A catalog names Services, but a name can resolve to any address (ExternalName Services, DNS
rebinding). So this checks resolved addresses, and the connection goes to exactly those.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from mcp_operator.api.hosts import SERVICE_HOST, is_service_host
from mcp_operator.gateway.upstream.names import resolved

DEFAULT_DOMAIN: Final = "cluster.local"
"""The kubelet's default, also used outside of a cluster."""

RESOLV_CONF: Final = Path("/etc/resolv.conf")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, OpenStack and others
        "169.254.170.2",  # AWS ECS task credentials
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google Cloud over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure's host node
        "192.0.0.192",  # Oracle Cloud
    )
)
"""Metadata services of clouds: a client that reaches one can get the node's credentials. Most are
link-local and refused for that; the others look like ordinary addresses."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are IPv4


def _networks(kinds: Mapping[str, str]) -> tuple[tuple[_Network, str], ...]:
    return tuple(
        (ipaddress.ip_network(network), kind)
        for kind, networks in kinds.items()
        for network in networks.split()
    )


_NOWHERE: Final = _networks(
    {
        "loopback": "127.0.0.0/8 ::1/128",
        "link-local": "169.254.0.0/16 fe80::/10",
        "unspecified": "0.0.0.0/8 ::/128",
        "multicast": "224.0.0.0/4 ff00::/8",
        "reserved": "240.0.0.0/4 192.0.0.0/24 2001::/23 5f00::/16",
        "for documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        "for discarding traffic": "100::/64 100:0:0:1::/64",
        "site-local": "fec0::/10",  # RFC 3879 deprecates it
        # The destination behind a tunnel or a translator is not visible in these addresses, or it
        # is an IPv4 address that would have to be checked: RFC 7526 (6to4), RFC 4380 (Teredo is in
        # 2001::/23), RFC 8215 (local NAT64 prefixes), RFC 4291 (IPv4-compatible).
        "for tunnels to IPv4": "2002::/16 192.88.99.0/24 64:ff9b:1::/48 ::/96",
    }
)
"""The special addresses of RFC 6890 and its registries that a Service cannot have."""

_PRIVATE: Final = _networks(
    {
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"
        # For carriers (RFC 6598) and for benchmarks (RFC 2544); some clouds use them for pods.
        " 100.64.0.0/10 198.18.0.0/15"
    }
)
"""The special addresses that Services can have, but hosts outside of the cluster cannot."""


Blocked = str | tuple[str, int]
"""An IP address to refuse, in its canonical form, optionally with a port."""


class ForbiddenAddressError(OSError):
    """A backend's name resolves to an address that tools must not reach; the message says why."""


def why_forbidden(
    address: str, blocked: Collection[Blocked] = (), *, port: int = 0, outside: bool = False
) -> str:
    """Return why connections to an IP address are not allowed, or nothing if they are.

    Args:
        address: An IP address, IPv6 with or without zone.
        blocked: Further addresses to refuse, such as the API server's.
        port: The port to connect to.
        outside: Whether the address must be outside of every private network.
    """
    try:
        ip: _Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "it is not an IP address"
    ip = _embedded(ip)
    if ip in METADATA:
        return "it is the metadata service of a cloud provider"
    if str(ip) in blocked or (str(ip), port) in blocked:
        return "it is reserved for the cluster itself"
    special = _NOWHERE + _PRIVATE if outside else _NOWHERE
    kind = next((kind for network, kind in special if ip in network), "")
    if not kind and outside and not ip.is_global:
        kind = "private"
    return f"it is {kind}" if kind else ""


def _embedded(ip: _Address) -> _Address:
    """Return the IPv4 address that is embedded in an IPv6 address, if there is one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip


def cluster_domain(resolv_conf: str) -> str:
    """Return the domain of the cluster from the search list in a pod's resolv.conf.

    The kubelet writes `search NAMESPACE.svc.DOMAIN svc.DOMAIN DOMAIN` (its `--cluster-domain`).

    Args:
        resolv_conf: The text of the file; outside of a cluster, it does not contain the domain.
    """
    for line in resolv_conf.splitlines():
        words = line.split()
        for entry in words[1:] if words[:1] == ["search"] else ():
            if entry.startswith("svc.") and entry.strip(".") != "svc":
                return entry.removeprefix("svc.").rstrip(".")
    return DEFAULT_DOMAIN


def own_cluster_domain() -> str:
    """Return the domain of this process's cluster; reads a file."""
    try:
        return cluster_domain(RESOLV_CONF.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return DEFAULT_DOMAIN


class GuardedResolver(AbstractResolver):
    """Resolves names, and fails if any address of a name is forbidden.

    One forbidden address is enough to fail, because no legitimate Service has one. Lookups use a
    trailing dot. Without it, the search list of a pod would first turn `orders.shop.svc` into
    `orders.shop.svc.svc.cluster.local`, a Service `shop` in a namespace called `svc`.
    """

    def __init__(
        self,
        inner: AbstractResolver,
        *,
        trusted: Callable[[str, int], bool],
        blocked: Collection[Blocked],
        domain: str,
    ) -> None:
        """Guard a resolver.

        Args:
            inner: Resolves names with DNS.
            trusted: Tells whether the user of this process specified a host and port; these can
                have any address.
            blocked: Further addresses to refuse; read for each lookup, so it can change.
            domain: The domain of the cluster, such as `cluster.local`.
        """
        self._inner = inner
        self._domain = domain
        self._trusted = trusted
        self._blocked = blocked

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name.

        Raises:
            ForbiddenAddressError: Connections to an address of the name are not allowed.
            OSError: The name does not resolve.
        """
        is_trusted = self._trusted(host, port)
        if is_address(host):
            if not is_trusted:
                check_address(host, self._blocked, port=port, outside=True)
            return [_itself(host, port)]
        if is_trusted:
            return await self._inner.resolve(host, port, family)
        outside = not is_service_host(host)
        absolute = f"{host}." if outside else f"{host}.{self._domain}."
        results = await self._inner.resolve(absolute, port, family)
        for result in results:
            check_address(result["host"], self._blocked, port=port, outside=outside)
        return [{**result, "hostname": host} for result in results]

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()


def is_address(host: str) -> bool:
    """Tell whether a host is an IP address, in its canonical form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _itself(address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return resolved(address, address, family, port)


def check_address(
    address: str, blocked: Collection[Blocked], *, port: int, outside: bool = False
) -> None:
    """Check that an address is not forbidden.

    Raises:
        ForbiddenAddressError: Connections to the address are not allowed.
    """
    reason = why_forbidden(address, blocked, port=port, outside=outside)
    if reason:
        raise ForbiddenAddressError(f"connections to {address} are not allowed: {reason}")


class Overrides:
    """Where to reach a Service from outside the cluster: `service:port` to `host:port`.

    A key is either the backend's own `host:port` or `namespace/service:port`. The mapping is read
    each time, so it can change.
    """

    def __init__(self, services: Mapping[str, str]) -> None:
        self._services = services

    def lead_to(self, host: str, port: int) -> bool:
        """Tell whether a Service is mapped to this address."""
        return f"{host}:{port}" in self._services.values()

    def find(self, host: str, port: int) -> tuple[str, int] | None:
        """Return the address to connect to instead, if there is one."""
        target = self._services.get(f"{host}:{port}")
        service = SERVICE_HOST.match(host)  # with or without the domain of a cluster
        if target is None and service is not None:
            target = self._services.get(f"{service[2]}/{service[1]}:{port}")
        if target is None:
            return None
        address, _, number = target.rpartition(":")
        return address.strip("[]"), int(number)

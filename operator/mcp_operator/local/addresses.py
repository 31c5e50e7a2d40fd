"""Addresses at which Services can be reached from outside of their cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mcp_operator.core.meta import Key

_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([1-9][0-9]{0,4})")
_LAST_PORT: Final = 65535


def is_address(text: str) -> bool:
    """Tell whether a text is `HOST:PORT`, with IPv6 hosts in brackets."""
    match = _ADDRESS.fullmatch(text)
    return match is not None and int(match[2]) <= _LAST_PORT


class ServiceAddresses(Mapping[str, str]):
    """Maps `NAMESPACE/SERVICE:PORT` to `HOST:PORT`, as the gateway looks addresses up.

    For an API outside of the cluster, its host replaces `NAMESPACE/SERVICE`.

    The user's own addresses can omit the namespace and the port. They take precedence over
    annotations, which apply to every port of a Service.
    """

    def __init__(self, typed: Mapping[str, str], namespace: str) -> None:
        """Store the addresses that the user typed.

        Args:
            typed: `[NAMESPACE/]SERVICE[:PORT]`, or a host outside the cluster, to `HOST:PORT`.
            namespace: The namespace of Services that are typed without one.
        """
        self._typed = {
            name if "/" in name or "." in name else f"{namespace}/{name}": address
            for name, address in typed.items()
        }
        self._annotated: dict[str, str] = {}

    def annotate(self, annotated: Mapping[Key, str]) -> None:
        """Replace the addresses from the annotations of Services."""
        self._annotated = {str(service): address for service, address in annotated.items()}

    def __getitem__(self, service: str) -> str:
        name = service.partition(":")[0]
        for known in (self._typed.get(service), self._typed.get(name), self._annotated.get(name)):
            if known is not None:
                return known
        raise KeyError(service)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._annotated, **self._typed})

    def __len__(self) -> int:
        return len({**self._annotated, **self._typed})

"""Finds the addresses of the API server, which tools must not reach: its Service and its own."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn

from aiohttp.abc import AbstractResolver

from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.upstream.addresses import Blocked

logger = logging.getLogger(__name__)

INTERVAL: Final = 300.0
"""Seconds between two requests. Control planes are replaced, and each request reaches only one of
their API servers, which reports only its own address."""

DISCOVERY: Final = "/api"
"""Every account may read it (the ClusterRole `system:discovery`)."""


def service_address() -> set[Blocked]:
    """Return the address of the API server's Service from the pod's environment, or nothing."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    with contextlib.suppress(ValueError):
        return {str(ipaddress.ip_address(host))}
    return set()


async def follow(
    get: Callable[[str, str], Awaitable[bytes]], resolver: AbstractResolver, blocked: set[Blocked]
) -> NoReturn:
    """Add the address and port of the API server to `blocked`, and check again at intervals.

    Args:
        get: Sends a request to the API server, given method and path.
        resolver: For API servers that report a name instead of an address.
        blocked: Receives the addresses.
    """
    while True:
        try:
            found = await endpoints(await get("GET", DISCOVERY), resolver)
            if not found <= blocked:
                logger.info(
                    "Tools cannot reach the addresses of the API server",
                    extra={"at": sorted(found)},
                )
            blocked |= found
        except (OperatorError, OSError, ValueError) as error:
            logger.info(
                "Cannot get the addresses of the API server; retrying later",
                extra={"error": str(error)},
            )
        await asyncio.sleep(INTERVAL)


async def endpoints(discovery: bytes, resolver: AbstractResolver) -> set[tuple[str, int]]:
    """Return the addresses and ports in a response to `DISCOVERY` (meta/v1, APIVersions).

    Raises:
        ValueError: The response does not have this form.
        OSError: A name in the response does not resolve.
    """
    answer: Any = json.loads(discovery)
    found: set[tuple[str, int]] = set()
    try:
        for entry in answer.get("serverAddressByClientCIDRs") or ():
            host, _, port = entry["serverAddress"].rpartition(":")
            resolved = await resolver.resolve(host.strip("[]"), int(port), socket.AF_UNSPEC)
            found |= {(str(ipaddress.ip_address(one["host"])), int(port)) for one in resolved}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("the answer to GET /api is not an APIVersions object") from error
    return found

"""Fetches JWK sets over HTTP, with the same address rules as for every backend."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from mcp_operator.api.catalog import Backend
from mcp_operator.api.jwks import MAX_BYTES
from mcp_operator.gateway.upstream.client import Upstream, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request, check_header
from mcp_operator.gateway.upstream.outgoing import tls_of
from mcp_operator.gateway.upstream.secret_values import SecretSource

FETCH_SECONDS: Final = 5.0
"""Time limit for the provider's response, because requests that need its keys wait for it."""


class JwksFetcher:
    """Fetches documents from endpoints."""

    def __init__(self, upstream: Upstream, secrets: SecretSource) -> None:
        self._upstream = upstream
        self._secrets = secrets

    async def __call__(self, endpoint: Backend) -> bytes:
        """Return the body of the response; redirects are not followed.

        Raises:
            UpstreamError: There was no usable response.
            SecretUnavailable: The CA of the endpoint could not be read.
        """
        request = Request(
            method="GET",
            scheme=endpoint.scheme,
            host=endpoint.host,
            port=endpoint.port,
            target=endpoint.path,
            headers=dict([check_header("Accept", "application/json")]),
            body=b"",
            external=endpoint.external,
        )
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                tls = await tls_of(endpoint, self._secrets)
                answer = await self._upstream.send(request, tls, MAX_BYTES)
        except TimeoutError as error:
            problem = "The identity provider did not answer in time."
            raise UpstreamError("connect", problem) from error
        if answer.status != HTTPStatus.OK:
            raise UpstreamError("protocol", f"The identity provider answered {answer.status}.")
        return answer.body

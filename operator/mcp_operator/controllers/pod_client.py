"""Asks one pod over HTTP which catalog it serves: a gateway, or a user's own server.

The pod can run any image, so its answer is limited in time and in the bytes of head and body
together. aiohttp limits the number and length of its headers.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from pydantic import BaseModel, ValidationError
from yarl import URL

from mcp_operator.api.conditions import MESSAGE_LIMIT
from mcp_operator.controllers.confirmations import WAIT_SECONDS, Answer, AskError, Pod

ANSWER_BYTES: Final = 64 * 1024
"""The maximum size of an answer, which usually has a few hundred bytes."""

_TIMEOUT: Final = aiohttp.ClientTimeout(sock_connect=3.0, total=WAIT_SECONDS + 5.0)


class _Answer(BaseModel):
    digest: str = ""
    lacks: str = ""
    redis: str | None = None


async def http_ask(pod: Pod, digest: str) -> Answer:
    """Ask `GET /catalog?digest=…&wait=…` on the management port; an `Ask`.

    Raises:
        AskError: The pod did not answer, or the answer is not valid.
    """
    url = URL.build(
        scheme="http",
        host=pod.ip,
        port=pod.port,
        path="/catalog",
        query={"digest": digest, "wait": str(WAIT_SECONDS)},
    )
    try:
        async with (
            aiohttp.ClientSession(
                connector=_BoundedConnector(), timeout=_TIMEOUT, auto_decompress=False
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            body = await response.read()
    except TimeoutError as error:
        raise AskError("did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise AskError(f"cannot be reached on port {pod.port}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise AskError("returned an answer without a catalog") from error
    if response.status != HTTPStatus.OK:
        raise AskError(f"answered with HTTP status {response.status}")
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        raise AskError("returned an answer without a catalog") from error
    redis = answer.redis and answer.redis[:MESSAGE_LIMIT]
    return Answer(answer.digest, answer.lacks[:MESSAGE_LIMIT], redis)


class _BoundedConnector(aiohttp.TCPConnector):
    """Opens connections that fail after more than `ANSWER_BYTES` have been received.

    aiohttp limits the final head, but not interim responses (RFC 9110, 15.2) and chunk extensions
    (RFC 9112, 7.1.1), which it reads for as long as they come.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        connection = await super().connect(*args, **kwargs)
        transport, protocol = connection.transport, connection.protocol
        if transport is not None and protocol is not None:
            transport.set_protocol(_Bounded(protocol, transport))
        return connection


class _Bounded(asyncio.Protocol):
    """Passes everything on to a protocol, up to `ANSWER_BYTES`."""

    def __init__(self, protocol: ResponseHandler, transport: asyncio.Transport) -> None:
        self._left = ANSWER_BYTES
        self._transport = transport
        self._protocol = protocol

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            # If the connection just ended, aiohttp would send the request again.
            self._protocol.set_exception(aiohttp.ClientPayloadError("the answer is too long"))
            self._transport.abort()
        else:
            self._protocol.data_received(data)

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

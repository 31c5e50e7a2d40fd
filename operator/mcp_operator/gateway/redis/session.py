"""One connection to Redis that any number of callers share.

Commands are written as they come, and replies are read in the same order. A reply that is late ends
the session for all callers, because later replies can no longer be assigned to their commands.

`redis` takes 10 MB of memory, so only modules that `link` imports when there is a Redis can import
this.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.connection import Connection
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoScriptError,
    RedisError,
    ResponseError,
)

from mcp_operator.gateway.redis.dial import Streams
from mcp_operator.gateway.redis.errors import RedisAwayError, UnknownScriptError

CALL_SECONDS: Final = 0.05
"""How long a caller waits for a reply, which takes about 0.3 ms within a cluster."""

MAX_CODE: Final = 24
"""Characters of an error code that are logged, such as READONLY."""


class RefusedError(RedisAwayError):
    """Redis does not accept the user or the password."""


class Session:
    """An open connection, authenticated and with its database selected, until it ends."""

    def __init__(self, connection: Connection, call_seconds: float = CALL_SECONDS) -> None:
        """Take over a connection that `connect` opened.

        Args:
            connection: The connection.
            call_seconds: How long a caller waits for a reply.
        """
        self._connection = connection
        self._call_seconds = call_seconds
        self._pending: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._asked = asyncio.Event()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Completes with the reason when the session ends."""
        self._reading = asyncio.create_task(self._read(), name="read from Redis")

    async def call(self, *command: Any) -> Any:
        """Send a command and return its reply: numbers, bytes, and lists of them.

        Raises:
            RedisAwayError: There was no reply in time; the session has ended.
            UnknownScriptError: Redis does not have the script.
        """
        if self.ended.done():
            raise RedisAwayError(self.ended.result())
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        packed = self._connection.pack_command(*command)
        # No await until the command is written: replies must arrive in the order of `_pending`.
        self._pending.append((loop.time() + self._call_seconds, reply))
        self._asked.set()
        try:
            await self._connection.send_packed_command(packed, check_health=False)
        except (OSError, RedisError) as error:
            self._end(explained(error))
        return await reply

    async def close(self) -> None:
        """End the session."""
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading
        await disconnect(self._connection)

    async def _read(self) -> None:
        try:
            while True:
                while not self._pending:
                    self._asked.clear()
                    await self._asked.wait()
                await self._read_one()
        except (OSError, RedisError, TimeoutError, ValueError) as error:
            self._end(explained(error))
        finally:
            self._end("the connection is closed")

    async def _read_one(self) -> None:
        deadline, reply = self._pending[0]
        try:
            async with asyncio.timeout_at(deadline):
                value = await self._connection.read_response()
        except NoScriptError as error:
            self._pending.popleft()
            if not reply.done():
                reply.set_exception(UnknownScriptError(str(error)))
            return
        self._pending.popleft()
        if not reply.done():  # otherwise its caller was cancelled
            reply.set_result(value)

    def _end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        for _, reply in self._pending:
            if not reply.done():
                reply.set_exception(RedisAwayError(reason))
        self._pending.clear()


class _Dialled(Connection):
    """A connection of redis-py over streams that the gateway opens."""

    def __init__(self, dial: Callable[[], Awaitable[Streams]], **settings: Any) -> None:
        super().__init__(**settings)
        self._dial = dial

    async def _connect(self) -> None:
        self._reader, self._writer = await self._dial()


async def connect(
    dial: Callable[[], Awaitable[Streams]], *, username: str, password: str, db: int
) -> Connection:
    """Open a connection, authenticate, and select the database.

    Args:
        dial: Opens the streams.
        username: The user; empty for the default user.
        password: The password; empty for none.
        db: The database.

    Raises:
        RefusedError: The user or the password is wrong.
        RedisAwayError: No connection could be opened.
        ValueError: The server is not a Redis.
    """
    connection = _Dialled(
        dial,
        username=username or None,
        password=password or None,
        db=db,
        encoding_errors="surrogateescape",  # a password can contain any bytes
        socket_timeout=None,  # the callers set deadlines
        socket_connect_timeout=None,
        protocol=2,
        driver_info=None,
    )
    try:
        await connection.connect()  # type: ignore[no-untyped-call]  # unannotated upstream
    except (OSError, RedisError) as error:
        await disconnect(connection)
        raise _failure(error) from error
    except BaseException:
        await disconnect(connection)
        raise
    return connection


async def disconnect(connection: Connection) -> None:
    """Close a connection, whatever state it is in."""
    with suppress(OSError, RedisError):
        await connection.disconnect(nowait=True)


def _failure(error: Exception) -> RedisAwayError:
    """Return why the connection could not be opened; the library hides the cause."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, RedisAwayError):
        return cause
    if isinstance(cause, OSError):
        return RedisAwayError(explained(cause))
    kind = RefusedError if isinstance(error, AuthenticationError) else RedisAwayError
    return kind(explained(error))


def explained(error: BaseException) -> str:
    """Describe an error without addresses and without any text from the server."""
    if isinstance(error, ResponseError):
        code = (error.status_code or str(error).partition(" ")[0])[:MAX_CODE]
        return (
            f"it answered with the error {code}" if code.isalpha() else "it answered with an error"
        )
    for kind, sentence in _EXPLANATIONS:
        if isinstance(error, kind):
            return sentence
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # because the message can contain an address
    return "the connection was closed, or could not be opened"


_EXPLANATIONS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TimeoutError, "it did not answer in time"),
    (AuthenticationError, "it does not accept the user or the password"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted, or is for another name"),
    (ssl.SSLError, "its TLS handshake failed"),
    (socket.gaierror, "its name does not resolve"),
    (InvalidResponse, "it does not answer like Redis"),
    (ValueError, "it does not answer like Redis"),  # the library raises it for other protocols
)

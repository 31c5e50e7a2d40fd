"""The connection of one gateway to its Redis: connects, detects outages, and reconnects.

The client library takes 10 MB of memory, so import this only if there is a Redis.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.connection import Connection
from redis.exceptions import RedisError

from mcp_operator.api.catalog import Redis, SecretKey
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.front.places import Seldom
from mcp_operator.gateway.redis.dial import Dialer, Tls
from mcp_operator.gateway.redis.errors import RedisAwayError
from mcp_operator.gateway.redis.session import (
    CALL_SECONDS,
    RefusedError,
    Session,
    connect,
    disconnect,
    explained,
)
from mcp_operator.gateway.upstream.secret_values import SecretSource

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 2.0
"""Time limit to connect, including Sentinels."""

BEAT_SECONDS: Final = 1.0
"""Seconds between two health checks, which detect an outage even if there are no calls."""

RETRY_SECONDS: Final = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Delays between attempts to connect; the last one repeats."""

STEADY_SECONDS: Final = 5.0
"""A session that ends sooner counts as another failed attempt."""

PRESENT_SECONDS: Final = 10.0
"""How long a gateway counts as present after it was last seen."""

_PRESENT: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 1000)
return redis.call('ZCARD', KEYS[1])
"""
"""Records that a gateway is present, and returns how many are. Because it writes, it also proves
that this Redis accepts writes."""


class RedisLink:
    """One connection that any number of callers share.

    Attributes:
        settings: The Redis that it connects to.
        peers: The known number of gateways of the server that use this Redis, including this one.
        problem: Why Redis is unavailable; empty while it is available.
    """

    def __init__(
        self,
        settings: Redis,
        dialer: Dialer,
        source: SecretSource,
        *,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        """Set up; `start` connects.

        Args:
            settings: Where Redis is.
            dialer: Opens connections.
            source: Provides user, password and CA, which are read again for each connection.
            call_seconds: How long a caller waits for a reply.
        """
        self.settings = settings
        self.peers = 1
        self.problem = "not connected yet"
        self._dialer = dialer
        self._source = source
        self._call_seconds = call_seconds
        self._name = secrets.token_hex(8)
        self._session: Session | None = None
        self._tried = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._told = Seldom()
        self._away_since = asyncio.get_running_loop().time()

    @property
    def is_up(self) -> bool:
        """Whether Redis is available."""
        return self._session is not None

    @property
    def away_seconds(self) -> float:
        """For how long Redis has been unavailable; 0 while it is available."""
        return 0.0 if self.is_up else asyncio.get_running_loop().time() - self._away_since

    def start(self) -> None:
        """Start to connect in the background; reconnects whenever the connection ends."""
        self._running = asyncio.create_task(self._run(), name="Redis")

    async def stop(self) -> None:
        """Disconnect."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    @property
    def _address(self) -> str:
        """The address in the spec: of Redis, or of its Sentinels."""
        return f"{self.settings.host}:{self.settings.port}"

    def key(self, name: str) -> str:
        """Return the full name of a key, in the hash slot of all keys of the server."""
        return f"{self.settings.keys}{name}"

    async def call(self, *command: Any) -> Any:
        """Send a command and return its reply: numbers, bytes, and lists of them.

        Raises:
            RedisAwayError: Redis is unavailable, or does not reply in time.
            UnknownScriptError: Redis does not have the script.
        """
        if not self._tried.is_set():  # the first attempt is short if Redis is available
            with suppress(TimeoutError):
                async with asyncio.timeout(self._call_seconds):
                    await self._tried.wait()
        if self._session is None:
            raise RedisAwayError(self.problem)
        return await self._session.call(*command)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the load
            try:
                session = await self._open()
            except (OSError, OperatorError, ValueError) as error:
                self._away(error)
                failures += 1
                continue
            finally:
                self._tried.set()
            began = loop.time()
            try:
                await self._use(session)
            finally:
                self._session, self._away_since = None, loop.time()
                await session.close()
            self._away(RedisAwayError(session.ended.result()))
            failures = 0 if loop.time() - began > STEADY_SECONDS else failures + 1

    async def _use(self, session: Session) -> None:
        """Let callers use a session until it ends."""
        self._session, self.problem = session, ""
        log.info("Redis is available", extra={"address": self._address})
        while not session.ended.done():
            await asyncio.wait([session.ended], timeout=BEAT_SECONDS)
            with suppress(RedisAwayError):
                await self._be_present(session)

    def _away(self, error: Exception) -> None:
        self.problem = str(error) if isinstance(error, OperatorError) else explained(error)
        if self._told.due():
            fields = {"address": self._address, "error": self.problem}
            log.warning("Redis is unavailable", extra=fields)

    async def _be_present(self, session: Session) -> None:
        """Record that this gateway is present, and update the number of gateways.

        Raises:
            RedisAwayError: Redis does not reply, or does not accept writes.
        """
        key = self.key("gateways")
        self.peers = int(await session.call("EVAL", _PRESENT, 1, key, self._name, PRESENT_SECONDS))

    async def _open(self) -> Session:
        """Return a session with a Redis that replies and accepts writes.

        Raises:
            OperatorError: There is no such Redis.
            OSError: The connection failed.
            ValueError: The server is not a Redis.
        """
        settings = self.settings
        if settings.unknown:
            raise RedisAwayError(
                f"spec.redis has {', '.join(settings.unknown)}, which this release of the "
                "gateway does not support: use the release of the operator"
            )
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                place = await self._primary() if settings.master_name else None
                connection = await self._connect(
                    place or (settings.host, settings.port),
                    settings.username,
                    settings.password,
                    settings.db,
                )
        except TimeoutError:
            raise RedisAwayError("it did not accept a connection in time") from None
        session = Session(connection, self._call_seconds)
        try:
            await self._be_present(session)
        except BaseException:
            await session.close()
            raise
        return session

    async def _primary(self) -> tuple[str, int]:
        """Ask a Sentinel for the address of the primary."""
        settings = self.settings
        sentinel = await self._connect(
            (settings.host, settings.port), settings.sentinel_username, settings.sentinel_password
        )
        try:
            name = settings.master_name
            await sentinel.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
            found = await sentinel.read_response()
        except RedisError as error:
            raise RedisAwayError(f"the Sentinel: {explained(error)}") from error
        finally:
            await disconnect(sentinel)
        if not found:
            raise RedisAwayError("the Sentinels do not know the primary named masterName")
        return found[0].decode(), int(found[1])

    async def _connect(
        self,
        place: tuple[str, int],
        username: SecretKey | None,
        password: SecretKey | None,
        db: int = 0,
    ) -> Connection:
        tls = await self._tls(place[0]) if self.settings.tls else None
        try:
            return await connect(
                lambda: self._dialer.open(*place, tls),
                username=await self._value(username),
                password=await self._value(password),
                db=db,
            )
        except RefusedError:
            for key in (username, password):
                if key is not None:
                    self._source.distrust(key)
            raise

    async def _tls(self, host: str) -> Tls:
        settings = self.settings
        ca = await self._source.value(settings.ca) if settings.ca else None
        name = settings.server_name or host
        return Tls(ca, name, verify=not settings.insecure_skip_verify)

    async def _value(self, key: SecretKey | None) -> str:
        if key is None:
            return ""
        return (await self._source.value(key)).decode("utf-8", "surrogateescape")

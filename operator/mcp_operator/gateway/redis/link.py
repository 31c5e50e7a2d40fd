"""The link of one gateway to its Redis: connects, notices when Redis goes, and connects again.

The library takes 10 MB of memory, so nobody imports this who has no Redis.
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
"""How long it may take to connect, Sentinels included."""

BEAT_SECONDS: Final = 1.0
"""Between two looks at whether Redis is available, so that its silence is noticed without calls."""

RETRY_SECONDS: Final = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Before each new attempt to connect; the last one repeats."""

STEADY_SECONDS: Final = 5.0
"""A session that ended sooner counts as one more failed attempt."""

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
"""Notes that a gateway is present, and returns how many are. As it writes, it also shows that this
is a Redis which takes writes."""


class RedisLink:
    """One connection, which any number of callers use at a time.

    Attributes:
        settings: What it connects to.
        peers: How many gateways of the server use this Redis, this one included, as far as known.
        problem: Why Redis is unavailable; empty while it answers.
    """

    def __init__(
        self,
        settings: Redis,
        dialer: Dialer,
        source: SecretSource,
        *,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        """Set up; nothing is connected before `start`.

        Args:
            settings: Where Redis is.
            dialer: Opens connections.
            source: Gives user, password and CA, again for each connection.
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
        """For how long Redis has not answered; 0 while it does."""
        return 0.0 if self.is_up else asyncio.get_running_loop().time() - self._away_since

    def start(self) -> None:
        """Connect in the background, again and again."""
        self._running = asyncio.create_task(self._run(), name="Redis")

    async def stop(self) -> None:
        """Disconnect."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running

    def key(self, name: str) -> str:
        """Return the name of a key, in the slot that all keys of the server are in."""
        return f"{self.settings.keys}{name}"

    async def call(self, *command: Any) -> Any:
        """Send a command and return its reply: numbers, bytes, and lists of them.

        Raises:
            RedisAwayError: There is no Redis, or none that answers in time.
            UnknownScriptError: Redis does not have the script.
        """
        if not self._tried.is_set():  # what has only begun takes a moment where Redis is there
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
        """Let callers use a session until it has ended."""
        self._session, self.problem = session, ""
        log.info("Redis is available")
        while not session.ended.done():
            await asyncio.wait([session.ended], timeout=BEAT_SECONDS)
            with suppress(RedisAwayError):
                await self._be_present(session)

    def _away(self, error: Exception) -> None:
        self.problem = str(error) if isinstance(error, OperatorError) else explained(error)
        if self._told.due():
            log.warning("Redis is unavailable", extra={"error": self.problem})

    async def _be_present(self, session: Session) -> None:
        """Note that this gateway is there, and how many are.

        Raises:
            RedisAwayError: Redis does not answer, or takes no writes.
        """
        key = self.key("gateways")
        self.peers = int(await session.call("EVAL", _PRESENT, 1, key, self._name, PRESENT_SECONDS))

    async def _open(self) -> Session:
        """Return a session with a Redis that answers and takes writes.

        Raises:
            OperatorError: There is none.
            OSError: Likewise.
            ValueError: What answers is not Redis.
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
        """Ask a Sentinel where the primary is."""
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

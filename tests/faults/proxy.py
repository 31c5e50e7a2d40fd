"""A proxy in front of a real API server that applies the faults of a test to single requests.

It terminates TLS with a certificate of its own CA, so that its clients verify it like the server,
and forwards requests as the administrator of the server's kubeconfig. It records every request.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from faults.actions import Action, Seen, pass_on
from support.certificates import Authority

Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_HOP_BY_HOP = frozenset(
    {"host", "authorization", "connection", "content-length", "transfer-encoding", "date", "server"}
)


@dataclass(eq=False)
class Rule:
    """An action for requests that match a pattern; `met` is set when none is left."""

    pattern: re.Pattern[str]
    action: Action
    left: float
    met: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, line: str) -> bool:
        if self.left <= 0 or not self.pattern.search(line):
            return False
        self.left -= 1
        if self.left <= 0:
            self.met.set()
        return True

    def end(self) -> None:
        """Match no more requests."""
        self.left = 0
        self.met.set()


class FaultProxy:
    """A TLS server on loopback; see the module.

    Attributes:
        seen: The requests, in the order of arrival.
        kubeconfig: A kubeconfig with which a client uses the proxy.
        token: The token that clients have to send; with any other they get 401.
        mistakes: Exceptions of the proxy itself, or of the rules of a test.
    """

    def __init__(self, directory: Path, behind: Path) -> None:
        self.seen: list[Seen] = []
        self.kubeconfig = directory / "proxy.kubeconfig"
        self.token = "through-the-proxy"  # noqa: S105 - opens nothing but this proxy
        self.mistakes: list[Exception] = []
        self._directory = directory
        self._behind = _Behind(behind)
        self._rules: list[Rule] = []
        self._exchanges: set[_Exchange] = set()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.rotate_ca("first")
        self._server = _Server(self._serve, self._hung_up)
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._session = await self._behind.connect()
        await self.accept()
        self._write_kubeconfig()

    async def stop(self) -> None:
        self.kill("")
        await self.refuse()
        await self._server.shutdown(timeout=0.01)
        if self._session is not None:
            await self._session.close()

    def on(self, pattern: str, action: Action, *, times: float = 1) -> Rule:
        """Apply an action to the next requests that match a pattern; the latest rule wins.

        Args:
            pattern: Searched for in `METHOD /path?query`.
            action: See `faults.actions`.
            times: How often; `math.inf` without a limit.
        """
        rule = Rule(re.compile(pattern), action, times)
        self._rules.insert(0, rule)
        return rule

    def forget(self) -> None:
        """Remove all rules and all recorded requests."""
        self._rules.clear()
        self.seen.clear()

    def kill(self, pattern: str = "watch=true") -> list[Seen]:
        """Break the connections of requests in progress that match a pattern; return these."""
        found = [
            each for each in self._exchanges if not each.broken and re.search(pattern, each.line)
        ]
        for each in found:
            each.abort()
        return [each.seen for each in found]

    def hang_up(self) -> None:
        """Break all connections, including idle ones."""
        for connection in self._server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def stall(self, pattern: str = "watch=true") -> None:
        """Forward nothing more of the responses in progress whose requests match a pattern."""
        for each in self._exchanges:
            each.stalled |= bool(re.search(pattern, each.line))

    async def is_idle(self) -> bool:
        """Return whether no client is connected and every request has been processed."""
        return not self._server.connections

    async def refuse(self) -> None:
        """Stop listening: new connections are refused. Existing connections stay open."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)

    async def accept(self) -> None:
        """Listen, again on the same port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._server, "127.0.0.1", self._port, ssl=self._tls
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    def rotate_ca(self, name: str) -> Path:
        """Use a certificate of a new CA for new connections; return the file of the CA."""
        directory = self._directory / name
        directory.mkdir()
        authority = Authority(directory, "ca")
        certificate, key = authority.issue("proxy", hosts=("127.0.0.1", "localhost"))
        self._tls.load_cert_chain(certificate, key)
        self.authority = authority.certificate
        return authority.certificate

    def watches(self, path: str = "") -> list[Seen]:
        """Return the watches whose paths contain a text."""
        return [seen for seen in self.seen if seen.is_watch and path in seen.path]

    def lists(self, path: str = "") -> list[Seen]:
        """Return the lists: paged, and as the initial events of watches.

        A list of a single object is not counted: a watch sends it to read the newest version.
        """
        return [
            seen
            for seen in self.seen
            if path in seen.path
            and (
                seen.query.get("limit", "1") != "1" or seen.query.get("sendInitialEvents") == "true"
            )
        ]

    def writes(self, path: str = "") -> list[Seen]:
        """Return the requests that change something, except for Events."""
        return [
            seen
            for seen in self.seen
            if seen.method != "GET" and path in seen.path and "/events" not in seen.path
        ]

    def _write_kubeconfig(self) -> None:
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": cluster}],
            "users": [{"name": "proxy", "user": {"token": self.token}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        line = f"{request.method} {request.path_qs}"
        rule = next((rule for rule in self._rules if rule.takes(line)), None)
        now = asyncio.get_running_loop().time()
        seen = Seen(request.method, request.path, dict(request.query), now)
        self.seen.append(seen)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "code": 401, "message": "no"}, status=401)
        assert self._session is not None
        exchange = _Exchange(request, seen, line, self._session, self._behind.server)
        self._exchanges.add(exchange)
        try:
            return await (rule.action if rule else pass_on)(exchange)
        except (aiohttp.ClientError, ConnectionError):
            exchange.abort()  # the server or the client disconnected
            return web.Response()
        except Exception as error:
            self.mistakes.append(error)
            raise
        finally:
            exchange.close()
            self._exchanges.discard(exchange)

    def _hung_up(self, connection: object) -> None:
        """Cancel the reads of a client that disconnected. Its writes are still completed."""
        for exchange in self._exchanges:
            if exchange.request.protocol is connection and exchange.seen.method == "GET":
                exchange.request.task.cancel()


class _Server(web.Server):
    """A server that reports disconnected clients, but does not cancel their requests."""

    def __init__(self, serve: Serve, hung_up: Callable[[object], None]) -> None:
        super().__init__(serve)
        self._hung_up = hung_up

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._hung_up(handler)


class _Exchange:
    """One request in progress; see `faults.actions.Exchange`."""

    def __init__(
        self,
        request: web.BaseRequest,
        seen: Seen,
        line: str,
        session: aiohttp.ClientSession,
        server: str,
    ) -> None:
        self.request = request
        self.seen = seen
        self.line = line
        self.stalled = False
        self.broken = False
        self._session = session
        self._server = server
        self._upstream: aiohttp.ClientResponse | None = None

    async def forward(self, **query: str) -> aiohttp.ClientResponse:
        url = URL(self._server + self.request.raw_path, encoded=True)
        body = await self.request.read()
        self._upstream = await self._session.request(
            self.request.method,
            url.update_query(query) if query else url,
            headers=_end_to_end(self.request.headers),
            data=body or None,
        )
        return self._upstream

    async def give(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        if self.request.query.get("watch") == "true":
            return await self.stream(answer, answer.content.iter_any())
        body = await answer.read()
        return web.Response(status=answer.status, headers=_end_to_end(answer.headers), body=body)

    async def stream(
        self, answer: aiohttp.ClientResponse, chunks: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer.headers))
        await response.prepare(self.request)
        async for chunk in chunks:
            if not self.stalled:
                await response.write(chunk)
        if self.stalled:
            await asyncio.Event().wait()
        return response

    def abort(self) -> None:
        self.broken = True
        if self.request.transport is not None:
            self.request.transport.abort()
        self.close()

    def close(self) -> None:
        if self._upstream is not None:
            self._upstream.close()


class _Behind:
    """The API server behind the proxy, from a kubeconfig with a client certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster = config["clusters"][0]["cluster"]
        user = config["users"][0]["user"]
        self.server: str = cluster["server"]
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    async def connect(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )


def _end_to_end(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


@asynccontextmanager
async def fault_proxy(directory: Path, behind: Path) -> AsyncIterator[FaultProxy]:
    """Run a proxy in front of the API server of a kubeconfig until the block ends."""
    proxy = FaultProxy(directory, behind)
    await proxy.start()
    try:
        yield proxy
    finally:
        with suppress(ConnectionError):
            await proxy.stop()
    assert not proxy.mistakes, f"the proxy failed: {proxy.mistakes}"

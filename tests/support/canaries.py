"""A complete gateway in which every secret, token, header and argument is a unique canary.

Each value of a client, a Secret or a token endpoint has its own name, so that a test that finds one
in the wrong place reports which.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.abc import AbstractResolver, ResolveResult
from prometheus_client import CollectorRegistry

from mcp_operator.api.catalog import (
    Backend,
    Credentials,
    Header,
    OAuth2,
    ResourceEntry,
    ResponseMapping,
    RetryPolicy,
    SecretKey,
    ToolEntry,
)
from mcp_operator.core.logs import JsonLineFormatter, TextFormatter
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.front.certificate import Certificate
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.client import HttpUpstream
from mcp_operator.gateway.upstream.secret_values import StaticSecrets
from support.certificates import Authority
from support.entries import argument, backend, resource, tool
from support.hostile_backend import hostile_backend
from support.identity import MovedClock
from support.mcp_http import table

CLIENTS = SecretKey(namespace="demo", name="clients", key="alice")
CLIENT_KEY = "canary-client-key-0123456789abcdef"
ARGUMENT = "canary-argument"
FORWARDED = "canary-forwarded-header"
UNTRUSTED = "canary-of-a-request"
"""In everything else that a client sends: headers, names, URIs, bodies that are not requests."""

ACCESS_TOKEN = "canary-access-token"  # noqa: S105 - a canary
VALUES = {
    name: f"canary-{name}-3f9a"
    for name in ("bearer", "password", "header", "query", "cookie", "client-secret", "constant")
}
BROKEN_PEM = "-----BEGIN PRIVATE KEY-----\ncanary-broken-key\n-----END PRIVATE KEY-----\n"

SLOW = 0.3
"""The timeout in seconds for a backend that never responds."""


def _key(name: str) -> SecretKey:
    return SecretKey(namespace="demo", name="login", key=name)


def _oauth2(path: str) -> Credentials:
    endpoint = backend(path, method="POST")
    client = OAuth2(endpoint=endpoint, in_form=path == "/token")
    return Credentials(
        type="OAuth2", secret=_key("client-secret"), username=_key("user"), oauth2=client
    )


KINDS: dict[str, dict[str, Any]] = {
    "bearer": {"credentials": Credentials(type="Bearer", secret=_key("bearer"))},
    "basic": {
        "credentials": Credentials(type="Basic", secret=_key("password"), username=_key("user"))
    },
    "header": {"credentials": Credentials(type="Header", name="X-Key", secret=_key("header"))},
    "query": {"credentials": Credentials(type="Query", name="key", secret=_key("query"))},
    "cookie": {"credentials": Credentials(type="Cookie", name="sid", secret=_key("cookie"))},
    "oauth2": {"credentials": _oauth2("/token")},
    "constants": {
        "headers": (Header(name="X-Fixed", secret=_key("constant")),),
        "query": (Header(name="fixed", secret=_key("constant")),),
        "forward_headers": ("X-Forwarded",),
    },
}
"""The credentials for a backend, and other values that are sent to it."""

HOSTILE = (
    *("gigabyte", "chunked-gigabyte", "claims-gigabyte", "gzip", "drip", "drip-headers"),
    *("continue", "stall", "bad-json", "redirect", "upgrade", "not-http", "short", "hang-up"),
    *("bad-chunk", "huge-header", "cookie"),
)
"""Paths of `support.hostile_backend`."""

HONEST = (
    *("echo", "echo-400", "echo-401", "echo-403", "echo-500", "echo-503", "echo-302"),
    *("charset", "not-utf8", "wrong-type", "empty", "html"),
)
"""Paths of `answer`."""


async def answer(request: web.BaseRequest) -> web.StreamResponse:  # noqa: PLR0911 - a table
    """Respond with everything in the request, in the form that the path selects."""
    said = {
        "url": str(request.rel_url),
        "headers": dict(request.headers),
        "body": (await request.read()).decode(errors="replace"),
    }
    match request.path.strip("/").split("-"):
        case ["token"]:
            return web.json_response({"access_token": ACCESS_TOKEN, "token_type": "bearer"})
        case ["token", "refused"]:
            return web.json_response({"error": "invalid_client", "said": said}, status=400)
        case ["echo", status]:
            headers = {"Location": f"http://evil.example/?{said['url']}", "ETag": json.dumps(said)}
            return web.json_response(said, status=int(status), headers=headers)
        case ["charset"]:
            kind = f"text/plain; charset={json.dumps(said)[:200]!r}"
            return web.Response(body=json.dumps(said).encode(), headers={"Content-Type": kind})
        case ["not", "utf8"]:
            return web.Response(body=b"\xff" + json.dumps(said).encode(), content_type="text/plain")
        case ["wrong", "type"]:
            return web.json_response({"count": json.dumps(said)})
        case ["empty"]:
            return web.Response(status=204)
        case ["html"]:
            return web.Response(text=f"<p>{json.dumps(said)}</p>", content_type="text/html")
        case _:
            return web.json_response(said)


class Names(AbstractResolver):
    """Resolves a few names: to a metadata service, to nothing, or not at all."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not host.startswith("metadata"):
            raise OSError(socket.EAI_NONAME, f"{host} has no address")
        return [
            ResolveResult(
                hostname=host,
                host="169.254.169.254",
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _to(host: str, path: str, **fields: Any) -> Backend:
    places = (
        argument("q"),
        argument("h", "header", target="X-Argument"),
        argument("n", "query", target="n"),
    )
    return backend(path, *places, host=f"{host}.demo.svc", timeout_seconds=10.0, **fields)


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def tools() -> Iterator[ToolEntry]:
    """Yield a tool for each way in which a call can fail, with each kind of credentials."""
    for kind, fields in KINDS.items():
        for path in HONEST:
            yield tool(f"{kind}.{path}", _to("orders", f"/{path}", **fields))
        for path in HOSTILE:
            slow = {"timeout_seconds": SLOW, "max_response_bytes": 100_000}
            to = _to("hostile", f"/{path}", **fields).model_copy(update=slow)
            yield tool(f"{kind}.{path}", to)
        for host in ("closed", "nowhere", "metadata"):
            retries = RetryPolicy(attempts=1, on=("ConnectFailure",), backoff_seconds=0.01)
            yield tool(f"{kind}.{host}", _to(host, "/", **fields), retries=retries)
        yield tool(f"{kind}.no-tls", _to("orders", "/", scheme="https", **fields))
        yield tool(f"{kind}.untrusted", _to("secure", "/", scheme="https", **fields))
    yield from _other_tools()


def _other_tools() -> Iterator[ToolEntry]:
    counted = _schema(count={"type": "integer"})
    yield tool("wrong.output", _to("orders", "/wrong-type"), output_schema=counted)
    for number, condition in enumerate(
        (
            *("body.url > 5", "body.headers + 1 == 2", "body.url.missing", "int(body.url) == 1"),
            *("body[body.url] == 1", "duration(body.url) > duration('1s')"),
        )
    ):
        response = ResponseMapping(error_when=condition)
        yield tool(f"condition.{number}", _to("orders", "/echo"), response=response)
    for number, path in enumerate(("length(`1`)", "abs(url)", "sum(url)", "to_number(url).a")):
        response = ResponseMapping(jmes_path=path, structured="Always")
        yield tool(f"jmespath.{number}", _to("orders", "/echo"), response=response)
    yield tool("jsonpath", _to("orders", "/echo"), response=ResponseMapping(json_path="$.none"))
    yield tool("schema", _to("orders", "/echo"), input_schema=_schema(q={"type": "integer"}))
    refused = {"credentials": _oauth2("/token-refused")}
    yield tool("token.refused", _to("orders", "/echo", **refused))
    missing = {"credentials": Credentials(type="Bearer", secret=_key("missing"))}
    yield tool("secret.missing", _to("orders", "/echo", **missing))
    pair = {"client_certificate": _key("tls.crt"), "client_key": _key("tls.key")}
    yield tool("pair.untrusted", _to("secure", "/", scheme="https", **pair))
    yield tool("pair.good", _to("secure", "/", scheme="https", ca=_key("ca.crt"), **pair))
    broken = pair | {"client_key": _key("broken.key")}
    yield tool("pair.broken", _to("secure", "/", scheme="https", ca=_key("ca.crt"), **broken))
    yield tool("ca.broken", _to("secure", "/", scheme="https", ca=_key("broken.key")))
    yield tool("path", backend("/a/{q}", argument("q", "path")))


def resources() -> Iterator[ResourceEntry]:
    """Yield a resource template for some failures of a read, and for a missing Secret."""
    places = {
        "orders": ("echo-401", "echo-500", "echo-302", "not-utf8", "empty"),
        "hostile": ("short", "not-http", "gigabyte", "huge-header", "gzip"),
        "closed": ("",),
        "nowhere": ("",),
        "metadata": ("",),
    }
    for host, paths in places.items():
        for path in paths:
            to = _to(host, f"/{path}", **KINDS["query"])
            to = to.model_copy(update={"max_response_bytes": 100_000})
            uri = f"birds://{host}-{path}/{{q}}"
            yield resource(f"{host}.{path}", uri_template=uri, backend=to)
    yield resource("secret", uri="birds://secret/all", secret=_key("missing"))


@dataclass
class Aviary:
    """A gateway full of canaries, and the places where they must not appear.

    Attributes:
        url: The MCP endpoint.
        management: The management port.
        secrets: Everything that a client must never see, by name.
    """

    url: str
    management: str
    secrets: dict[str, str]
    _logs: tuple[io.StringIO, io.StringIO]
    client: ClientSession = field(default_factory=ClientSession)

    def logs(self) -> str:
        """Return all log lines, in the formats for machines and for people."""
        return "".join(each.getvalue() for each in self._logs)

    async def managed(self) -> str:
        """Return everything that the management port serves."""
        found = []
        for path in ("/metrics", "/catalog", "/readyz", "/livez", f"/{UNTRUSTED}"):
            async with self.client.get(self.management + path) as answer:
                found.append(await answer.text())
        return "".join(found)


@contextmanager
def _logging() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Record every line of every logger, down to debug, in both formats."""
    streams, root = (io.StringIO(), io.StringIO()), logging.getLogger()
    level = root.level
    handlers = [logging.StreamHandler(stream) for stream in streams]
    for handler, formatter in zip(handlers, (JsonLineFormatter(), TextFormatter()), strict=True):
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield streams
    finally:
        root.setLevel(level)
        for handler in handlers:
            root.removeHandler(handler)


def _secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    metadata = {"namespace": "demo", "name": name}
    return {"kind": "Secret", "metadata": metadata, "stringData": values}


@asynccontextmanager
async def aviary(folder: Path, **settings: Any) -> AsyncIterator[Aviary]:
    """Run a gateway with all of its backends; `settings` are those of its server."""
    authority = Authority(folder, "ca")
    certificate, key = authority.issue("client")
    server = authority.issue("secure", hosts=("secure.demo.svc",))
    pem = key.read_text()
    login = {
        **VALUES,
        "user": "reader",
        "tls.crt": certificate.read_text(),
        "tls.key": pem,
        "broken.key": BROKEN_PEM,
        "ca.crt": authority.certificate.read_text(),
    }
    secrets = StaticSecrets([_secret("login", login), _secret("clients", {"alice": CLIENT_KEY})])
    async with AsyncExitStack() as stack:
        logs = stack.enter_context(_logging())
        services = await _services(stack, server)
        upstream = await stack.enter_async_context(
            HttpUpstream(services, user_agent="tests/1", resolver=Names())
        )
        current = Current()
        silent = tool("silent", _to("hostile", "/stall", **KINDS["cookie"]))
        current.swap(table(silent, *tools(), *resources(), **settings))
        app = GatewayApp(
            current,
            HttpExecutor(current, upstream, secrets),
            address=GatewayAddress(port=0, management_port=0),
            registry=CollectorRegistry(),
            guard=Guard(current, secrets=secrets, clock=MovedClock()),
        )
        await app.start()
        stack.push_async_callback(app.stop)
        hidden = {
            **VALUES,
            "access token": ACCESS_TOKEN,
            "client key": CLIENT_KEY,
            "certificate key": pem.splitlines()[1],
            "broken key": "canary-broken-key",
        }
        base = "http://127.0.0.1"
        found = Aviary(f"{base}:{app.port}/mcp", f"{base}:{app.management_port}", hidden, logs)
        stack.push_async_callback(found.client.close)
        yield found


async def _services(stack: AsyncExitStack, server: tuple[Path, Path]) -> dict[str, str]:
    """Start the backends, and return the address of each Service."""
    plain = Listener(answer)
    await plain.start("127.0.0.1", 0)
    stack.push_async_callback(plain.stop, 0)
    secure = Listener(answer)
    folder = server[0].parent / "served"
    folder.mkdir()
    for path, name in zip(server, ("tls.crt", "tls.key"), strict=True):
        (folder / name).write_bytes(path.read_bytes())
    await secure.start("127.0.0.1", 0, await asyncio.to_thread(Certificate, folder))
    stack.push_async_callback(secure.stop, 0)
    hostile = await stack.enter_async_context(hostile_backend())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    ports = {"orders": plain.port, "secure": secure.port, "hostile": hostile.port, "closed": closed}
    return {f"demo/{name}:80": f"127.0.0.1:{port}" for name, port in ports.items()}

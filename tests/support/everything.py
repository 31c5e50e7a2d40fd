"""The fixture of the official conformance suite, as far as a catalog can express it.

`serving_everything` runs a real gateway on loopback, with a small real backend behind its tools.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry

from mcp_operator.api.catalog import JsonObject, PromptEntry, Redis, ResourceEntry, ToolEntry
from mcp_operator.api.prompts import PromptMedia, PromptMessage, PromptVariable
from mcp_operator.gateway.app import GatewayAddress, GatewayApp
from mcp_operator.gateway.execute import HttpExecutor
from mcp_operator.gateway.front.listener import Listener
from mcp_operator.gateway.redis.dial import Dialer
from mcp_operator.gateway.redis.server import RedisOfServer
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current, Table
from mcp_operator.gateway.upstream.client import HttpUpstream
from mcp_operator.gateway.upstream.secret_values import StaticSecrets
from support.asking_tools import ASKING_PROMPT, ASKING_TOOLS, answer_asking
from support.entries import argument, backend, prompt, resource, tool
from support.everything_jobs import JOB_TOOLS, Jobs
from support.mcp_http import table
from support.native_tools import NATIVE_TOOLS, answer_natively
from support.round_robin import round_robin
from support.waiting_tools import WAITING_TOOLS, Waiting

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WAV = base64.b64decode("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=")

SCHEMA_2020_12: JsonObject = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

Answer = tuple[int, str, bytes]

NOT_HERE: Answer = (404, "text/plain", b"not here")
ANSWERS: dict[str, Answer] = {
    "/test_simple_text": (200, "text/plain", b"This is a simple text response for testing."),
    "/test_image_content": (200, "image/png", PNG),
    "/test_audio_content": (200, "audio/wav", WAV),
    "/test_embedded_resource": (200, "application/octet-stream", b"\x00\xff embedded"),
    "/test_error_handling": (500, "text/plain", b"This tool intentionally returns an error"),
    "/json_schema_2020_12_tool": (200, "text/plain", b"ok"),
}


TOOLS = (
    *NATIVE_TOOLS,
    *ASKING_TOOLS,
    *JOB_TOOLS,
    *WAITING_TOOLS,
    *(
        tool(f"test_trigger_{kind}_change", backend(f"/change/{kind}"), description="Changes it.")
        for kind in ("tool", "prompt", "resource")
    ),
    *(
        tool(path.removeprefix("/"), backend(path), description=f"Answers what {path} answers.")
        for path in ANSWERS
        if path != "/json_schema_2020_12_tool"
    ),
    tool(
        "json_schema_2020_12_tool",
        backend("/json_schema_2020_12_tool"),
        description="Has a schema of many keywords.",
        input_schema=SCHEMA_2020_12,
    ),
    tool(
        "add_numbers",
        backend("/sum", argument("a"), argument("b")),
        description="Adds two numbers.",
        input_schema={
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
        },
        output_schema={
            "type": "object",
            "properties": {"sum": {"type": "number"}},
            "required": ["sum"],
        },
    ),
    tool(
        "list_regions",
        backend("/regions"),
        description="Lists regions: an array, which legacy clients see wrapped.",
        output_schema={"type": "array", "items": {"type": "string"}},
    ),
    tool(
        "search_region",
        backend("/search", argument("region"), argument("query")),
        description="Takes an argument that is repeated in a header.",
        input_schema={
            "type": "object",
            "properties": {
                "region": {"type": "string", "x-mcp-header": "Region"},
                "query": {"type": "string"},
            },
        },
    ),
)

PROMPTS = (
    ASKING_PROMPT,
    prompt(
        "This is a simple prompt for testing.", name="test_simple_prompt", description="Is text."
    ),
    prompt(
        "Prompt with arguments: arg1='{{arg1}}', arg2='{{arg2}}'",
        name="test_prompt_with_arguments",
        description="Has two arguments.",
        variables=(
            PromptVariable(name="arg1", required=True, description="The first."),
            PromptVariable(name="arg2", required=True, description="The second."),
        ),
    ),
    prompt(
        name="test_prompt_with_embedded_resource",
        description="Embeds the resource that is asked for.",
        variables=(PromptVariable(name="resourceUri", required=True),),
        messages=(
            PromptMessage(resource_uri="{{resourceUri}}"),
            PromptMessage(text="Process the resource above."),
        ),
    ),
    prompt(
        name="test_prompt_with_image",
        description="Shows an image.",
        messages=(
            PromptMessage(
                image=PromptMedia(mime_type="image/png", data=base64.b64encode(PNG).decode())
            ),
            PromptMessage(text="Please analyze the image above."),
        ),
    ),
    prompt(
        "Plan a trip to {{city}}.",
        name="trip",
        description="Completes its argument.",
        variables=(PromptVariable(name="city", enum=("Paris", "Park City", "Rome")),),
    ),
)

WATCHED = "test://watched-resource"

RESOURCES = (
    resource("static-text", uri="test://static-text", text="This is the text."),
    resource(
        "static-binary",
        uri="test://static-binary",
        mime_type="image/png",
        blob=base64.b64encode(PNG).decode("ascii"),
    ),
    resource("watched-resource", uri=WATCHED, text="Watch me."),
    resource("example-resource", uri="test://example-resource", text="Embed me."),
    resource(
        "template",
        uri_template="test://template/{id}/data",
        mime_type="application/json",
        backend=backend("/data/{id}", argument("id", "path")),
    ),
)


def everything(*more: ToolEntry | PromptEntry | ResourceEntry, **settings: Any) -> Table:
    """Return the table of the fixture, with additional entries and settings of the server.

    A given resource replaces the one with its name.
    """
    instructions = "A server for tests."
    names = {entry.name for entry in more if isinstance(entry, ResourceEntry)}
    resources = (entry for entry in RESOURCES if entry.name not in names)
    entries = (*PROMPTS, *resources, *more)
    return table(*TOOLS, *entries, instructions=instructions, **settings)


class Backend:
    """The services of the tools; three of them change the catalog of all replicas."""

    def __init__(self, replicas: Sequence[Current], settings: Mapping[str, Any]) -> None:
        self._replicas = replicas
        self._settings = settings
        self._changes = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = answer_asking(request)
        return asked or await answer_natively(request, PNG) or self._answer(request)

    def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.path.split("/"):
            case ["", "data", identifier]:
                return web.json_response({"id": identifier, "templateTest": True})
            case ["", "sum"]:
                query = request.query
                return web.json_response({"sum": float(query["a"]) + float(query["b"])})
            case ["", "regions"]:
                return web.json_response(["eu", "us"])
            case ["", "search"]:
                return web.json_response(dict(request.query))
            case ["", "change", kind]:
                self._change(kind)
                return web.Response(text=f"The {kind} list has changed.")
            case _:
                status, media_type, body = ANSWERS.get(request.path, NOT_HERE)
                return web.Response(status=status, body=body, headers={"content-type": media_type})

    def _change(self, kind: str) -> None:
        self._changes += 1
        name, text = f"newcomer_{self._changes}", "Was not here before."
        change: ToolEntry | PromptEntry | ResourceEntry
        match kind:
            case "tool":
                change = tool(name, description=text)
            case "prompt":
                change = prompt(text, name=name, description=text)
            case _:
                change = resource("watched-resource", uri=WATCHED, text=f"Is {name} now.")
        for current in self._replicas:
            current.swap(everything(change, **self._settings))


class Everything:
    """A gateway that serves the complete fixture.

    Attributes:
        app: The current or the last application.
        current: The catalog that it serves.
    """

    app: GatewayApp

    def __init__(self, current: Current, services: int, root: RootKey) -> None:
        """Set up.

        Args:
            current: The served catalog.
            services: The port of the services of the tools.
            root: The key that all replicas share.
        """
        self.current = current
        self._addresses = {"demo/orders:80": f"127.0.0.1:{services}"}
        self._root = root
        self._running = AsyncExitStack()

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return f"http://localhost:{self.app.port}/mcp"

    async def start(self, port: int = 0) -> None:
        """Start to serve; port 0 means a free port."""
        upstream = await self._running.enter_async_context(
            HttpUpstream(self._addresses, user_agent="mcp-operator-tests")
        )
        registry, secrets = CollectorRegistry(), StaticSecrets()
        self.app = GatewayApp(
            self.current,
            HttpExecutor(self.current, upstream, secrets),
            address=GatewayAddress(port=port, management_port=0),
            registry=registry,
            root=self._root,
            redis=RedisOfServer(self.current, Dialer({}, loopback=True), secrets, registry),
        )
        await self.app.start()
        self._running.push_async_callback(self.app.stop)

    async def stop(self) -> None:
        """Stop like a terminating pod."""
        await self._running.aclose()

    async def restart(self) -> None:
        """Stop, and serve again on the same port with an empty memory."""
        port = self.app.port
        await self.stop()
        await self.start(port)


@dataclass(frozen=True)
class Replicas:
    """Gateways that serve the same catalog.

    Attributes:
        url: The URL, with round robin if there are several.
    """

    url: str
    gateways: Sequence[Everything]

    async def restart(self) -> None:
        """Replace all gateways, one after the other."""
        for gateway in self.gateways:
            await gateway.restart()


@asynccontextmanager
async def serving_everything(port: int = 0) -> AsyncIterator[Everything]:
    """Run a gateway that serves the complete fixture."""
    async with AsyncExitStack() as stack:
        (replica,) = await _replicas(stack, 1, {}, port)
        yield replica


@asynccontextmanager
async def serving_replicas(count: int, redis_port: int | None = None) -> AsyncIterator[Replicas]:
    """Run gateways that serve the complete fixture; several share a Redis and a URL.

    Args:
        count: The number of gateways.
        redis_port: The port of the Redis; a single gateway needs none.
    """
    settings: dict[str, Any] = {}
    if redis_port is not None:
        settings["redis"] = Redis(host="127.0.0.1", port=redis_port, keys="test:{mcp:demo/shop}:")
    async with AsyncExitStack() as stack:
        gateways = await _replicas(stack, count, settings)
        urls = [each.url for each in gateways]
        url = urls[0] if count == 1 else await stack.enter_async_context(round_robin(urls))
        yield Replicas(url, gateways)


async def _replicas(
    stack: AsyncExitStack, count: int, settings: Mapping[str, Any], port: int = 0
) -> list[Everything]:
    """Start gateways that share their services, key and Redis."""
    currents, root = [Current() for _ in range(count)], RootKey(b"k" * 32)
    services = Listener(Waiting(Jobs(Backend(currents, settings).answer).answer).answer)
    await services.start("127.0.0.1", 0)
    stack.push_async_callback(services.stop, 0)
    replicas = []
    for current in currents:
        current.swap(everything(**settings))
        replica = Everything(current, services.port, root)
        await replica.start(port)
        stack.push_async_callback(replica.stop)
        replicas.append(replica)
    return replicas

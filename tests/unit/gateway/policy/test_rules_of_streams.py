"""Streams notify a client only of what the rules allow it to use."""

from __future__ import annotations

from typing import Final

import pytest

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import Auth, PromptEntry, ResourceEntry, ToolEntry
from mcp_operator.gateway.protocol.message import KEEP_ALIVE, HttpRequest, HttpStream
from support.entries import backend, prompt, resource, tool
from support.identity import API_KEYS, Clients, MovedClock, by_token, token
from support.mcp_http import JSON_HEADERS, Server, legacy, message_of, modern, table

KEYS: Final = {"staff": "staff-0123456789abcdef", "guest": "guest-0123456789abcdef"}
RULES: Final = (
    AccessRule(tools=("*",), prompts=("*",), resources=("*",), principals=("staff",)),
    AccessRule(
        tools=("open-*",), prompts=("open-*",), resources=("docs://{name}",), principals=("guest",)
    ),
)
HIDDEN: Final = "docs://hidden"

Entry = ToolEntry | PromptEntry | ResourceEntry

pytestmark = pytest.mark.looptime


def auth(rules: tuple[AccessRule, ...] = RULES) -> Auth:
    return API_KEYS.model_copy(update={"rules": rules})


class Shop(Server):
    """A server with a template that guests can read, and a hidden resource that matches it."""

    def __init__(self) -> None:
        super().__init__(*self.entries(), secrets=Clients(**KEYS), auth=auth())

    @staticmethod
    def entries(*more: Entry, text: str = "old") -> tuple[Entry, ...]:
        template = resource("pages", uri_template="docs://{name}", backend=backend("/{name}"))
        return (template, resource("hidden", uri=HIDDEN, text=text), tool("open-search"), *more)

    def change(self, *more: Entry, text: str = "old") -> None:
        self.current.swap(table(*self.entries(*more, text=text), auth=auth()))

    async def listen(self, who: str) -> HttpStream:
        """Subscribe to everything, and read the acknowledgment."""
        wanted = {
            "toolsListChanged": True,
            "promptsListChanged": True,
            "resourcesListChanged": True,
            "resourceSubscriptions": [HIDDEN],
        }
        params = {"notifications": wanted}
        stream = await self.stream(modern("subscriptions/listen", params, x_api_key=KEYS[who]))
        await anext(stream.frames)
        return stream

    async def session(self, who: str) -> HttpStream:
        """Subscribe in a legacy session, and open its stream."""
        key = {"x_api_key": KEYS[who]}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        answer = await self.respond(legacy("initialize", params, **key))
        session = {"mcp_session_id": answer.headers["mcp-session-id"]}
        await self.result(legacy("resources/subscribe", {"uri": HIDDEN}, **key, **session))
        headers = {"mcp-session-id": session["mcp_session_id"], "x-api-key": KEYS[who]}
        return await self.stream(HttpRequest("GET", JSON_HEADERS | headers))


async def told(stream: HttpStream) -> list[str]:
    """Return the notifications of a stream until it is idle."""
    methods: list[str] = []
    async for frame in stream.frames:
        if frame == KEEP_ALIVE:
            break
        methods.append(message_of(frame)["method"].removeprefix("notifications/"))
    return methods


@pytest.fixture(params=["modern", "legacy"])
def open_stream(request: pytest.FixtureRequest) -> str:
    return "listen" if request.param == "modern" else "session"


async def test_an_allowed_template_does_not_notify_of_a_hidden_resource_that_matches_it(
    open_stream: str,
) -> None:
    shop = Shop()
    guest = await getattr(shop, open_stream)("guest")
    staff = await getattr(shop, open_stream)("staff")

    shop.change(text="new")

    assert await told(staff) == ["resources/updated"]
    assert await told(guest) == []


async def test_changes_that_a_client_cannot_see_send_no_notification(open_stream: str) -> None:
    shop = Shop()
    guest = await getattr(shop, open_stream)("guest")
    staff = await getattr(shop, open_stream)("staff")

    hidden = resource("internal", uri="internal://a", text="x")
    shop.change(tool("admin"), prompt("Hello", name="admin"), hidden)

    lists = ["tools/list_changed", "prompts/list_changed", "resources/list_changed"]
    assert await told(staff) == lists
    assert await told(guest) == []


async def test_changes_that_a_client_can_see_send_notifications(open_stream: str) -> None:
    shop = Shop()
    guest = await getattr(shop, open_stream)("guest")

    shop.change(tool("open-orders"), prompt("Hello", name="open-hello"))

    assert await told(guest) == ["tools/list_changed", "prompts/list_changed"]


async def test_a_stream_that_new_rules_end_sends_no_notifications_of_the_new_catalog() -> None:
    shop = Shop()
    guest = await shop.listen("guest")
    more = AccessRule(tools=("admin",), principals=("guest",))

    shop.current.swap(table(*shop.entries(tool("admin")), auth=auth((*RULES, more))))

    (goodbye,) = [message_of(frame) async for frame in guest.frames]
    assert goodbye["result"]["resultType"] == "complete"


async def test_an_anonymous_stream_ends_without_notifications_once_rules_apply() -> None:
    shop = Server(*Shop.entries())
    wanted = {"notifications": {"toolsListChanged": True}}
    stream = await shop.stream(modern("subscriptions/listen", wanted))
    await anext(stream.frames)
    everybody = AccessRule(tools=("*",), principals=("*",))

    shop.current.swap(table(*Shop.entries(tool("admin")), auth=auth((everybody,))))

    (goodbye,) = [message_of(frame) async for frame in stream.frames]
    assert "result" in goodbye


async def test_a_subscription_that_lacks_a_scope_gets_403_that_names_the_scope() -> None:
    rules = (AccessRule(resources=(HIDDEN,), any_scope=("docs:read",)),)
    by_scope = by_token().model_copy(update={"rules": rules})
    shop = Server(*Shop.entries(), clock=MovedClock(), auth=by_scope)
    bearer = {"authorization": f"Bearer {token()}"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    answer = await shop.respond(legacy("initialize", params, **bearer))
    headers = bearer | {"mcp_session_id": answer.headers["mcp-session-id"]}

    for method in ("resources/subscribe", "resources/read"):
        closed = await shop.respond(legacy(method, {"uri": HIDDEN}, **headers))
        assert closed.status == 403
        assert 'scope="docs:read"' in closed.headers["www-authenticate"]
        unknown = await shop.respond(legacy(method, {"uri": "docs://other"}, **headers))
        assert b"Resource not found" in unknown.body

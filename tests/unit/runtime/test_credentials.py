"""A client goes on when its token or its CA changes."""

from __future__ import annotations

import pytest

from mcp_operator.core.errors import SettingsError
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.kubernetes import Configuration
from support.objects import CONFIG_MAPS, config_map
from support.scripted_api import ScriptedApi, configuration, scripted_client

A = Key("demo", "a")


class Credentials:
    """A configuration whose parts change while it is used, as those of a pod do."""

    def __init__(self, api: ScriptedApi) -> None:
        self.url = api.url
        self.token = "one"  # noqa: S105  # not a real token
        self.server_name = ""
        self.loads = 0

    async def load(self) -> Configuration:
        self.loads += 1
        made = configuration(self.url, self.token)
        made.tls_server_name = self.server_name or None
        return made


async def test_after_a_401_the_token_is_read_again_once(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    credentials = Credentials(api)
    async with scripted_client(api, metrics, load=credentials.load) as client:
        credentials.token = "two"  # noqa: S105  # see above
        api.fail(401, "Unauthorized")
        api.answer(config_map("a", 5))
        await client.apply(CONFIG_MAPS, config_map("a"))
    tokens = [request.headers["Authorization"] for request in api.received]
    assert tokens == ["Bearer one", "Bearer two"]


async def test_a_401_is_raised_when_the_token_has_not_changed(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    credentials = Credentials(api)
    async with scripted_client(api, metrics, load=credentials.load) as client:
        api.fail(401, "Unauthorized")
        with pytest.raises(ApiError) as caught:
            await client.get(CONFIG_MAPS, A)
    assert caught.value.status == 401
    assert credentials.loads == 2


async def test_the_old_token_stays_in_use_when_a_new_one_cannot_be_read(
    api: ScriptedApi, metrics: RuntimeMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    credentials = Credentials(api)

    async def load() -> Configuration:
        if credentials.loads:
            raise SettingsError("the token is empty")
        return await credentials.load()

    async with scripted_client(api, metrics, load=load, refresh_every=0.0) as client:
        api.answer(config_map("a", 5))
        await client.get(CONFIG_MAPS, A)
    assert api.received[0].headers["Authorization"] == "Bearer one"
    assert "current ones stay in use" in caplog.text


async def test_a_new_tls_server_name_opens_a_new_session_and_a_new_token_does_not(
    api: ScriptedApi, metrics: RuntimeMetrics
) -> None:
    credentials = Credentials(api)
    async with scripted_client(api, metrics, load=credentials.load, refresh_every=0.0) as client:
        sessions = client._transport._clients
        credentials.token = "two"  # noqa: S105  # see above
        api.answer(config_map("a", 5))
        await client.get(CONFIG_MAPS, A)
        assert len(sessions) == 1
        credentials.server_name = "api"
        api.answer(config_map("a", 5))
        await client.get(CONFIG_MAPS, A)
        assert len(sessions) == 2

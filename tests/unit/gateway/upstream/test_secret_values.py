from __future__ import annotations

import pytest

from mcp_operator.api.catalog import SecretKey
from mcp_operator.core.meta import Key
from mcp_operator.gateway.upstream.secret_values import SecretUnavailable, StaticSecrets

KEY = SecretKey(namespace="demo", name="api-key", key="token.txt")
MANIFEST = {
    "kind": "Secret",
    "metadata": {"namespace": "demo", "name": "api-key"},
    "data": {"token.txt": "b2xk", "other": "b3RoZXI="},
    "stringData": {"token.txt": "new"},
}


async def test_string_data_overrides_data_in_a_manifest() -> None:
    secrets = StaticSecrets([{"kind": "ConfigMap"}, MANIFEST])
    assert await secrets.value(KEY) == b"new"
    assert await secrets.value(KEY.model_copy(update={"key": "other"})) == b"other"


async def test_the_environment_overrides_the_manifest() -> None:
    environment = {"MCP_OPERATOR_SECRET_DEMO_API_KEY_TOKEN_TXT": "from the shell"}
    assert await StaticSecrets([MANIFEST], environment).value(KEY) == b"from the shell"


async def test_the_error_for_a_missing_value_names_the_variable_to_set() -> None:
    secrets = StaticSecrets()
    secrets.distrust(KEY)
    with pytest.raises(SecretUnavailable, match="set MCP_OPERATOR_SECRET_DEMO_API_KEY_TOKEN_TXT"):
        await secrets.value(KEY)


def test_a_value_that_is_not_base64_is_not_quoted() -> None:
    broken = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "p@ssw0rd!"}}
    with pytest.raises(SecretUnavailable, match="not base64") as caught:
        StaticSecrets([broken])
    assert "p@ssw0rd" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_all_values_of_a_secret_include_overrides_of_the_environment() -> None:
    environment = {"MCP_OPERATOR_SECRET_DEMO_API_KEY_OTHER": "from the shell"}
    secrets = StaticSecrets([MANIFEST], environment)
    assert await secrets.values(Key("demo", "api-key")) == {
        "token.txt": b"new",
        "other": b"from the shell",
    }
    with pytest.raises(SecretUnavailable, match="Secret demo/none is not in the served files"):
        await secrets.values(Key("demo", "none"))

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_operator.core.errors import SettingsError
from mcp_operator.runtime.configuration import (
    BEARER,
    in_cluster,
    load_service_account,
)


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ca.crt").write_text("PEM")
    return tmp_path


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_pod_is_detected_by_its_environment_and_its_token(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_cluster(pod)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert not in_cluster(pod)


async def test_the_line_end_of_a_token_file_is_not_part_of_the_token(pod: Path) -> None:
    configuration = await load_service_account(pod)
    assert configuration.host == "https://10.0.0.1:443"
    assert configuration.api_key[BEARER] == "Bearer secret"
    assert configuration.ssl_ca_cert == str(pod / "ca.crt")


async def test_an_ipv6_address_is_put_in_brackets(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert (await load_service_account(pod)).host == "https://[fd00::1]:443"


@pytest.mark.parametrize("token", ["\n", "a\nb", "\u00e4", "a\0b"])
async def test_an_error_about_an_unusable_token_does_not_show_the_token(
    pod: Path, token: str
) -> None:
    (pod / "token").write_text(token)
    sentence = r"^the token for the API server is empty or not printable ASCII$"
    with pytest.raises(SettingsError, match=sentence):
        await load_service_account(pod)


@pytest.mark.parametrize("name", ["token", "ca.crt"])
async def test_an_error_about_a_missing_service_account_names_the_fix(pod: Path, name: str) -> None:
    (pod / name).unlink()
    with pytest.raises(SettingsError, match="automountServiceAccountToken"):
        await load_service_account(pod)

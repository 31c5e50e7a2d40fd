from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mcp_operator.core.errors import SettingsError
from mcp_operator.runtime.access import Access, in_pod, pod_access, proxy_for


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ca.crt").write_text("PEM")
    return tmp_path


def test_a_pod_is_told_by_its_environment_and_its_token(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_pod(pod)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    assert not in_pod(pod)


def test_a_token_is_taken_without_the_line_end(pod: Path) -> None:
    access = pod_access(pod)
    assert access.server == "https://10.0.0.1:443"
    assert access.host == "10.0.0.1:443"
    assert access.authorization == "Bearer secret"
    assert "secret" not in repr(access)


def test_an_ipv6_address_is_bracketed(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    assert pod_access(pod).server == "https://[fd00::1]:443"


def test_an_empty_token_is_refused_with_its_path(pod: Path) -> None:
    (pod / "token").write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        pod_access(pod)


def test_a_missing_service_account_names_the_ways_out(pod: Path) -> None:
    (pod / "ca.crt").unlink()
    with pytest.raises(SettingsError, match="automountServiceAccountToken"):
        pod_access(pod)


def test_the_proxy_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "10.0.0.1")
    assert proxy_for("https://api.example.com") == "http://proxy:3128"
    assert proxy_for("https://10.0.0.1:443") == ""


def test_certificates_are_checked_unless_told_otherwise() -> None:
    strict = Access("https://x").tls()
    lax = Access("https://x", verify=False).tls()
    assert isinstance(strict, ssl.SSLContext)
    assert isinstance(lax, ssl.SSLContext)
    assert strict.verify_mode is ssl.CERT_REQUIRED
    assert not strict.verify_flags & ssl.VERIFY_X509_STRICT
    assert lax.verify_mode is ssl.CERT_NONE
    assert Access("http://x").tls() is None

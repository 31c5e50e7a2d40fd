"""The variables that `spec.env` can set, with admission and for objects that bypassed it."""

from __future__ import annotations

import pytest

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.validation import problems
from mcp_operator.core.meta import Object
from support.manifests import server

GATEWAY: tuple[Object, ...] = ({}, {"mode": "Gateway"}, {"mode": "Gateway", "image": "a"})
DIRECT: tuple[Object, ...] = ({"image": "a"}, {"mode": "Direct", "image": "a"})

OF_THE_GATEWAY = (
    "MCP_OPERATOR_SERVICES",
    "MCP_OPERATOR_LOG_LEVEL",
    "mcp_operator_services",
    "KUBECONFIG",
    "POD_NAMESPACE",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
    "PYTHON_GIL",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "GCONV_PATH",
    "PYDANTIC_DISABLE_PLUGINS",
    "AIOHTTP_NO_EXTENSIONS",
    "PATH",
    "HOME",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSLKEYLOGFILE",
    "OPENSSL_CONF",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "https_proxy",
    "No_Proxy",
    "ALL_PROXY",
    "NETRC",
    "HOSTALIASES",
    "RES_OPTIONS",
)
OF_EVERYBODY = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT_443_TCP_ADDR", "MCP_CONFIG_DIR")
FREE = ("TZ", "LANG", "LC_ALL", "LOG_LEVEL", "REDIS_HOST", "PATHS", "LDAP_URL", "MY_PYTHONPATH")


def is_refused(variable: str, spec: Object) -> bool:
    """Return whether a variable is rejected, and check that admission and the operator agree."""
    obj = server(**spec, env=[{"name": "FIRST"}, {"name": variable, "value": "x"}])
    found = problems(obj)
    assert all(problem.field == "spec.env" for problem in found)
    reserved = MCPServer.model_validate(obj).spec.reserved_variables
    assert reserved == ((variable,) if found else ())
    return bool(found)


@pytest.mark.parametrize("spec", GATEWAY, ids=str)
@pytest.mark.parametrize("variable", OF_THE_GATEWAY)
def test_variables_that_change_what_a_gateway_runs_or_trusts_are_rejected(
    variable: str, spec: Object
) -> None:
    assert is_refused(variable, spec)


@pytest.mark.parametrize("spec", DIRECT, ids=str)
@pytest.mark.parametrize("variable", OF_THE_GATEWAY)
def test_the_same_variables_are_accepted_for_an_image_of_the_user(
    variable: str, spec: Object
) -> None:
    assert not is_refused(variable, spec)


@pytest.mark.parametrize("spec", GATEWAY + DIRECT, ids=str)
@pytest.mark.parametrize("variable", OF_EVERYBODY)
def test_variables_that_kubernetes_or_the_operator_sets_are_rejected(
    variable: str, spec: Object
) -> None:
    assert is_refused(variable, spec)


@pytest.mark.parametrize("spec", GATEWAY + DIRECT, ids=str)
@pytest.mark.parametrize("variable", FREE)
def test_all_other_variables_are_accepted(variable: str, spec: Object) -> None:
    assert not is_refused(variable, spec)


def test_redis_host_is_rejected_when_the_spec_sets_redis() -> None:
    assert is_refused("REDIS_HOST", {"image": "a", "redis": {"address": "redis.example.com"}})

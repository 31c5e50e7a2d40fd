"""The status of a server with missing references, and when it is reconciled again."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import pytest

from mcp_operator.builders.resources import ROLES
from mcp_operator.controllers.catalog_object import ABSENT_POLL_SECONDS, SECRET_POLL_SECONDS
from mcp_operator.controllers.mappers import references
from mcp_operator.core.meta import Key
from support.identity import provider_keys
from support.server_bench import Bench

KEYED = {"type": "APIKey", "apiKey": {"secretRef": {"name": "clients"}}}
TOKENS = {
    "type": "JWT",
    "jwt": {
        "issuer": "https://login.example.com",
        "audiences": ["shop"],
        "jwksConfigMapRef": {"name": "keys", "key": "jwks.json"},
    },
}
VALUE = base64.b64encode(b"canary-0123456789abcdef").decode()

pytestmark = pytest.mark.looptime


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.confirmations.close()


async def test_a_server_with_a_missing_secret_of_keys_reports_it_and_stays_closed(
    bench: Bench,
) -> None:
    bench.cluster.server(auth=KEYED)
    assert await bench.reconcile() == ABSENT_POLL_SECONDS
    assert bench.reason("ResolvedRefs") == ("False", "SecretNotFound")
    _, _, message = bench.cluster.conditions("MCPServer", "shop")["ResolvedRefs"]
    assert message == (
        "no client can authenticate, so none is served: Secret demo/clients does not exist"
        ": create it, or correct the name"
    )
    assert bench.catalog().server.auth is not None


async def test_the_secret_of_keys_is_polled_and_never_copied(bench: Bench) -> None:
    bench.cluster.server(auth=KEYED)
    await bench.reconcile()
    bench.cluster.put("Secret", "clients", data={"alice": VALUE})
    bench.compiler._reader._secrets.clear()  # what is cached for two seconds
    assert await bench.reconcile() == SECRET_POLL_SECONDS
    assert bench.reason("ResolvedRefs") == ("True", "ResolvedRefs")
    role = bench.child(ROLES, Key("demo", "mcp-server-shop"))
    assert role["rules"][1]["resourceNames"] == ["clients", "mcp-server-shop-keys"]
    written = json.dumps([obj for _, obj in bench.cluster.writes])
    assert VALUE not in written
    assert "canary" not in bench.catalog().canonical().decode()


async def test_a_changed_config_map_of_keys_reaches_the_catalog(bench: Bench) -> None:
    bench.cluster.server(auth=TOKENS)
    await bench.reconcile()
    assert bench.reason("ResolvedRefs") == ("False", "ConfigMapNotFound")
    content = {"jwks.json": json.dumps({"keys": provider_keys()})}
    changed = bench.cluster.put("ConfigMap", "keys", data=content)
    assert await bench.reconcile() is None
    assert bench.reason("ResolvedRefs") == ("True", "ResolvedRefs")
    auth = bench.catalog().server.auth
    assert auth is not None
    assert auth.jwt is not None
    assert auth.jwt.keys == {"keys": provider_keys()}
    watched = {source: servers for source, _, servers in references(bench.cluster.cache, None)}  # type: ignore[arg-type]
    concerned = watched[bench.cluster.cache.config_maps]
    assert list(concerned(changed)) == [Key("demo", "shop")]


async def test_a_reconciliation_with_unchanged_keys_assembles_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.cluster.put("Secret", "clients", data={"alice": VALUE})
    bench.cluster.server(auth=KEYED)
    await bench.reconcile()
    writes = len(bench.cluster.writes)
    monkeypatch.setattr("mcp_operator.controllers.mcpserver.build_server_catalog", None)
    await bench.reconcile()
    assert len(bench.cluster.writes) == writes


CERTIFICATE = {"tls.crt": VALUE, "tls.key": VALUE}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "Secret demo/cert does not exist: create it, or correct the name"),
        ({"tls.crt": VALUE}, "Secret demo/cert has no key 'tls.key': add it, or correct the key"),
        (
            {"ca.crt": VALUE, "tls.key": VALUE},
            "Secret demo/cert has no key 'tls.crt': add it, or correct the key",
        ),
    ],
)
async def test_a_problem_with_the_secret_of_the_certificate_is_reported(
    bench: Bench, data: dict[str, str] | None, said: str
) -> None:
    if data is not None:
        bench.cluster.put("Secret", "cert", data=data)
    bench.cluster.server(tls={"secretName": "cert"})
    assert await bench.reconcile() == ABSENT_POLL_SECONDS
    assert bench.reason("ResolvedRefs") == ("False", "SecretNotFound")
    _, _, message = bench.cluster.conditions("MCPServer", "shop")["ResolvedRefs"]
    assert message == f"new pods wait for their certificate: {said}"
    bench.cluster.put("Secret", "cert", data=CERTIFICATE)
    bench.compiler._reader._secrets.clear()  # what is cached for two seconds
    assert await bench.reconcile() == SECRET_POLL_SECONDS
    assert bench.reason("ResolvedRefs") == ("True", "ResolvedRefs")
    assert VALUE not in json.dumps([obj for _, obj in bench.cluster.writes])


async def test_all_missing_references_are_reported_together(bench: Bench) -> None:
    bench.cluster.server(tls={"secretName": "cert"}, auth=KEYED)
    await bench.reconcile()
    _, _, message = bench.cluster.conditions("MCPServer", "shop")["ResolvedRefs"]
    assert "Secret demo/clients does not exist: create it, or correct the name" in message
    assert "Secret demo/cert does not exist: create it, or correct the name" in message


async def test_an_invalid_rule_leaves_the_catalog_unchanged(bench: Bench) -> None:
    rule = {"name": "staff", "tools": ["*"], "when": "claims.a.map(x, x) == []"}
    bench.cluster.put("Secret", "clients", data={"alice": VALUE})
    bench.cluster.server(auth=KEYED)
    await bench.reconcile()
    before = bench.catalog()
    bench.cluster.server(auth=KEYED | {"rules": [rule]})
    await bench.reconcile()
    status, reason, message = bench.cluster.conditions("MCPServer", "shop")["Accepted"]
    assert (status, reason) == ("False", "Invalid")
    assert message.startswith("spec.auth.rules[0].when: the condition uses map()")
    assert bench.catalog() == before

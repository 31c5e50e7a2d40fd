"""The Secret with the key of a gateway is created once, never read, and recreated if missing."""

from __future__ import annotations

import asyncio
import base64
import copy
from collections.abc import AsyncIterator

import pytest

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.resources import ROLES, SECRETS
from mcp_operator.controllers.server_keys import RETRY_SECONDS, ServerKeys
from mcp_operator.core.meta import Key, Object, uid_of
from mcp_operator.runtime.errors import ApiError
from support.server_bench import DIRECT, SHOP, Bench

KEYS = Key("demo", "mcp-server-shop-keys")
EXISTS = ApiError(409, "AlreadyExists", "secrets already exists")
pytestmark = pytest.mark.looptime


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.confirmations.close()


def creations(bench: Bench, error: ApiError | None = None) -> list[Object]:
    """Return a list to which every attempt to create the Secret will be added."""
    tried: list[Object] = []

    def note(verb: str, obj: Object) -> None:
        if obj["kind"] == SECRETS.kind:
            assert verb == "create"
            tried.append(obj)
            if error:
                raise error

    bench.cluster.on_write = note
    return tried


async def test_a_gateway_has_a_random_key_that_its_server_owns(bench: Bench) -> None:
    await bench.reconcile()
    secret = bench.child(SECRETS, KEYS)
    assert len(base64.b64decode(secret["data"]["root"])) == 32
    assert secret["immutable"]
    assert secret["type"] == "mcp-operator.dev/keys"
    [owner] = secret["metadata"]["ownerReferences"]
    assert owner["uid"] == uid_of(bench.cluster.objects[MCPSERVERS, SHOP])
    bench.cluster.remove("Secret", KEYS.name)
    await bench.reconcile()
    assert (SECRETS, KEYS) not in bench.cluster.objects  # it is not read again
    assert not any(kind == "Secret" for kind, _ in bench.cluster.reads)


async def test_the_secret_has_the_labels_and_annotations_passed_on_from_the_server(
    bench: Bench,
) -> None:
    passing = BuildContext("gateway:1", passed_labels=("team",), passed_annotations=("owner",))
    bench.reconciler._context = passing
    metadata = {"labels": {"team": "a", "tier": "b"}, "annotations": {"owner": "me"}}
    bench.cluster.put("MCPServer", "shop", metadata=metadata)
    await bench.reconcile()
    made = bench.child(SECRETS, KEYS)["metadata"]
    assert made["labels"]["team"] == "a"
    assert made["labels"]["app.kubernetes.io/instance"] == "shop"
    assert "tier" not in made["labels"]
    assert made["annotations"] == {"owner": "me"}


async def test_no_two_servers_have_the_same_key(bench: Bench) -> None:
    other = Bench()
    for each in (bench, other):
        await each.reconcile()
    assert bench.child(SECRETS, KEYS)["data"] != other.child(SECRETS, KEYS)["data"]


async def test_a_direct_server_has_no_key(bench: Bench) -> None:
    bench.cluster.server(**DIRECT)
    made = creations(bench)
    await bench.reconcile()
    assert made == []


async def test_an_existing_secret_is_not_changed(bench: Bench) -> None:
    tried = creations(bench, EXISTS)
    for _ in range(10):
        await bench.reconcile()
        await asyncio.sleep(3600)
    assert len(tried) == 1
    assert bench.reason("Degraded") == ("False", "Healthy")


async def test_an_existing_key_is_not_created_again_after_a_restart(bench: Bench) -> None:
    await bench.reconcile()
    tried = creations(bench)
    bench.reconciler._keys = ServerKeys(bench.cluster)
    await bench.reconcile()
    assert tried == []


async def test_a_server_of_an_earlier_release_gets_a_key_with_the_permission_to_read_it(
    bench: Bench,
) -> None:
    await bench.reconcile()
    role = copy.deepcopy(bench.child(ROLES, Key("demo", "mcp-server-shop")))
    del role["rules"][1]
    bench.cluster._store(ROLES, role)
    bench.cluster.remove("Secret", KEYS.name)
    bench.reconciler._keys = ServerKeys(bench.cluster)
    await bench.reconcile()
    assert bench.child(SECRETS, KEYS)


async def test_a_key_that_a_pod_reports_missing_is_recreated(bench: Bench) -> None:
    await bench.reconcile()
    bench.pod()
    bench.available()
    bench.cluster.remove("Secret", KEYS.name)
    bench.lacks = "Secret demo/mcp-server-shop-keys does not exist"
    await asyncio.sleep(RETRY_SECONDS)
    await bench.settled()
    assert bench.child(SECRETS, KEYS)
    assert bench.reason("Degraded") == ("True", "SessionKeyMissing")
    assert bench.reason("Ready") == ("True", "Ready")
    bench.lacks = ""
    await asyncio.sleep(10)
    await bench.reconcile()
    assert bench.reason("Degraded") == ("False", "Healthy")


async def test_a_key_that_pods_do_not_accept_is_retried_every_half_minute(bench: Bench) -> None:
    tried = creations(bench, EXISTS)
    bench.pod()
    bench.lacks = "Secret demo/mcp-server-shop-keys is not owned by this MCPServer"
    for _ in range(120):
        await bench.reconcile()
        await asyncio.sleep(1)
    assert len(tried) == 4
    assert bench.reason("Degraded") == ("True", "SessionKeyMissing")


async def test_a_rejected_secret_is_reported_and_the_other_children_are_created(
    bench: Bench,
) -> None:
    bench.refuse(SECRETS, "create")
    await bench.reconcile()
    bench.pod()
    bench.available()
    await bench.settled()
    status, _, message = bench.cluster.conditions("MCPServer", "shop")["Degraded"]
    assert status == "True"
    assert "Secret demo/mcp-server-shop-keys cannot be made" in message
    assert "denied by policy" in message
    assert bench.reason("Ready") == ("True", "Ready")
    assert await bench.reconcile() == 30


async def test_a_transient_failure_to_create_the_key_is_retried(bench: Bench) -> None:
    bench.refuse(SECRETS, "create", ApiError(503, "ServiceUnavailable", "try again"))
    with pytest.raises(ApiError):
        await bench.reconcile()
    bench.cluster.on_write = lambda *_: None
    await bench.reconcile()
    assert bench.child(SECRETS, KEYS)

"""A ServiceAccount that the user chooses: it must allow its use, and is watched for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.builders.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    ROLEBINDINGS,
    SERVICEACCOUNTS,
)
from mcp_operator.builders.serviceaccount import account_finding
from mcp_operator.controllers.mappers import servers_running_as
from mcp_operator.core.meta import Key, Object
from support.operators import CONTEXT
from support.server_bench import CONFIG, SHOP, Bench
from support.servers import server

NAMED: dict[str, Any] = {"podTemplate": {"spec": {"serviceAccountName": "identity"}}}
OURS = Key("demo", "mcp-server-shop")
CONSENTS = {"labels": {"mcp-operator.dev/usable": "true"}}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.confirmations.close()


def runs_as(bench: Bench) -> str:
    spec: Object = bench.child(DEPLOYMENTS, OURS)["spec"]["template"]["spec"]
    return str(spec["serviceAccountName"])


def bound(bench: Bench) -> list[str]:
    return [subject["name"] for subject in bench.child(ROLEBINDINGS, OURS)["subjects"]]


@pytest.mark.looptime
async def test_pods_run_as_an_account_that_allows_it_and_can_read_their_catalog(
    bench: Bench,
) -> None:
    bench.cluster.put("ServiceAccount", "identity", metadata=CONSENTS)
    bench.cluster.server("shop", **NAMED)
    await bench.reconcile()
    assert runs_as(bench) == "identity"
    assert bound(bench) == ["identity"]
    assert (SERVICEACCOUNTS, OURS) not in bench.cluster.objects
    assert bench.reason("ResolvedRefs") == ("True", "ResolvedRefs")


@pytest.mark.looptime
@pytest.mark.parametrize("labels", [None, {}, {"mcp-operator.dev/usable": "false"}])
async def test_without_the_label_of_the_account_no_deployment_is_created(
    bench: Bench, labels: dict[str, str] | None
) -> None:
    if labels is not None:
        bench.cluster.put("ServiceAccount", "identity", metadata={"labels": labels})
    bench.cluster.server("shop", **NAMED)
    await bench.reconcile()
    assert (DEPLOYMENTS, OURS) not in bench.cluster.objects
    assert (ROLEBINDINGS, OURS) not in bench.cluster.objects
    for type_ in ("ResolvedRefs", "Ready"):
        assert bench.reason(type_) == ("False", "ServiceAccountNotUsable")
    _, _, message = bench.cluster.conditions("MCPServer", "shop")["Ready"]
    assert "ServiceAccount identity of namespace demo" in message
    assert "mcp-operator.dev/usable=true" in message


@pytest.mark.looptime
async def test_without_the_label_existing_pods_are_kept_and_get_new_catalogs(
    bench: Bench,
) -> None:
    bench.cluster.put("ServiceAccount", "identity", metadata=CONSENTS)
    bench.cluster.server("shop", **NAMED)
    await bench.reconcile()
    deployment = bench.child(DEPLOYMENTS, OURS)
    before = bench.child(CONFIGMAPS, CONFIG)

    bench.cluster.put("ServiceAccount", "identity", metadata={"labels": {}})
    bench.cluster.server("shop", **NAMED, replicas=3)
    bench.cluster.tool("search")
    await bench.reconcile()
    assert bench.reason("Ready") == ("False", "ServiceAccountNotUsable")
    assert bench.child(DEPLOYMENTS, OURS) == deployment
    assert bound(bench) == ["identity"]
    assert bench.child(CONFIGMAPS, CONFIG) != before

    bench.cluster.put("ServiceAccount", "identity", metadata=CONSENTS)
    await bench.reconcile()
    assert bench.child(DEPLOYMENTS, OURS)["spec"]["replicas"] == 3


@pytest.mark.looptime
async def test_the_created_account_is_deleted_after_another_account_is_used(bench: Bench) -> None:
    await bench.reconcile()
    assert bench.child(SERVICEACCOUNTS, OURS)
    bench.cluster.server("shop", **NAMED)
    await bench.reconcile()
    assert bench.child(SERVICEACCOUNTS, OURS), "the existing pods still run as it"
    assert (runs_as(bench), bound(bench)) == (OURS.name, [OURS.name])
    bench.cluster.put("ServiceAccount", "identity", metadata=CONSENTS)
    await bench.reconcile()
    assert (SERVICEACCOUNTS, OURS) not in bench.cluster.objects
    assert (runs_as(bench), bound(bench)) == ("identity", ["identity"])


@pytest.mark.looptime
async def test_a_changed_account_enqueues_the_servers_of_its_namespace_that_use_it(
    bench: Bench,
) -> None:
    bench.cluster.server("other")
    bench.cluster.server("shop", **NAMED)
    account = bench.cluster.put("ServiceAccount", "identity", metadata=CONSENTS)
    cache = bench.cluster.cache
    assert list(servers_running_as(cache, "")(account)) == [SHOP]
    elsewhere = {**account, "metadata": {**account["metadata"], "namespace": "elsewhere"}}
    assert list(servers_running_as(cache, "")(elsewhere)) == []
    by_default = sorted(servers_running_as(cache, "identity")(account))
    assert by_default == [Key("demo", "other"), SHOP]


def test_an_account_that_another_object_controls_is_not_used() -> None:
    owner = {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u", "controller": True}
    owned: Object = {"metadata": {"name": "identity", "ownerReferences": [owner]}}
    found = account_finding(server(**NAMED), CONTEXT, lambda _: owned)
    assert found is not None
    assert "is controlled by another object" in found.message


def test_an_account_of_the_installation_must_allow_its_use_in_each_namespace() -> None:
    template = PodTemplate.model_validate({"spec": {"serviceAccountName": "platform"}})
    context = replace(CONTEXT, pod_template=template)
    asked: list[Key] = []
    found = account_finding(server(), context, asked.append)
    assert asked == [Key("demo", "platform")]
    assert found is not None
    assert "ServiceAccount platform of namespace demo" in found.message
    own = server(podTemplate={"spec": {"serviceAccountName": "own"}})
    account_finding(own, context, asked.append)
    assert asked[-1] == Key("demo", "own")

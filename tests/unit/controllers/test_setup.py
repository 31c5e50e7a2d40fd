"""Changes enqueue the objects that they affect."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.labels import child_labels, managed_selector
from mcp_operator.builders.resources import DEPLOYMENTS, PODS
from mcp_operator.controllers.cluster_cache import CATALOG_RESOURCES
from mcp_operator.controllers.mappers import programmed_changed
from mcp_operator.controllers.recorder import EventRecorder
from mcp_operator.controllers.setup import (
    add_controllers,
)
from mcp_operator.core.clock import SystemClock
from mcp_operator.core.meta import Key, Object, owner_reference
from mcp_operator.runtime.informer import Informer, InformerSet
from mcp_operator.runtime.manager import Manager
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.sources import Channel, Source
from support.fake_client import FakeClient
from support.operators import nobody_answers
from support.queues import Queues

OTHER = {"matchLabels": {"team": "other"}}
LOGIN = {"credentials": {"type": "Bearer", "secretRef": {"name": "login"}}}
FROM_FILES = {"uri": "docs://a", "configMapKeyRef": {"name": "files", "key": "a"}}


@pytest.fixture
async def queues() -> Queues:
    return Queues()


SHOP, BAR = ("MCPServer", "shop"), ("MCPServer", "bar")
SEARCH, RIVAL, OLDER = ("MCPTool", "search"), ("MCPTool", "rival"), ("MCPTool", "older")


async def test_a_new_object_enqueues_itself_and_the_servers_that_select_it(queues: Queues) -> None:
    queues.cluster.server("shop")
    queues.cluster.server("bar", toolSelector=OTHER)
    await queues.taken()
    queues.cluster.tool("search")
    assert await queues.taken() == {SHOP, SEARCH}


async def test_an_object_that_changes_its_labels_enqueues_the_old_and_the_new_server(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.server("bar", toolSelector=OTHER)
    queues.cluster.tool("search")
    await queues.taken()
    queues.cluster.put("MCPTool", "search", metadata={"labels": {"team": "other"}})
    assert await queues.taken() == {SHOP, BAR, SEARCH}


async def test_a_deleted_object_enqueues_itself_and_its_server(queues: Queues) -> None:
    queues.cluster.server("shop")
    queues.cluster.tool("search")
    await queues.taken()
    queues.cluster.remove("MCPTool", "search")
    assert await queues.taken() == {SHOP, SEARCH}


async def test_a_status_change_of_an_object_enqueues_nothing(queues: Queues) -> None:
    queues.cluster.server("shop")
    queues.cluster.tool("search")
    await queues.taken()
    queues.cluster.put("MCPTool", "search", status={"ready": True})
    assert await queues.taken() == set()


async def test_a_server_enqueues_the_objects_that_it_selects_or_selected_before(
    queues: Queues,
) -> None:
    queues.cluster.tool("search")
    queues.cluster.tool("other", team="other")
    await queues.taken()
    queues.cluster.server("shop")
    assert await queues.taken() == {SHOP, SEARCH}
    queues.cluster.server("shop", toolSelector=OTHER)
    assert await queues.taken() == {SHOP, SEARCH, ("MCPTool", "other")}
    queues.cluster.remove("MCPServer", "shop")
    assert await queues.taken() == {SHOP, ("MCPTool", "other")}


async def test_only_a_transition_of_programmed_enqueues_the_objects_of_a_server(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.tool("search")
    await queues.taken()
    queues.cluster.put("MCPServer", "shop", status={"conditions": [], "toolCount": 1})
    assert await queues.taken() == set()
    yes = [{"type": "Programmed", "status": "True"}]
    queues.cluster.put("MCPServer", "shop", status={"conditions": yes})
    assert await queues.taken() == {SEARCH}
    queues.cluster.put("MCPServer", "shop", status={"conditions": yes, "toolCount": 2})
    assert await queues.taken() == set()
    queues.cluster.put("MCPServer", "shop", status={"conditions": []})
    assert await queues.taken() == {SEARCH}


async def test_objects_with_the_same_name_enqueue_each_other(queues: Queues) -> None:
    queues.cluster.tool("search")
    queues.cluster.tool("unrelated")
    await queues.taken()
    queues.cluster.tool("rival", name="search")
    assert await queues.taken() == {SEARCH, RIVAL}
    queues.cluster.tool("rival", name="other")
    assert await queues.taken() == {SEARCH, RIVAL}
    queues.cluster.tool("rival", name="another")
    assert await queues.taken() == {RIVAL}


@pytest.mark.parametrize("kind", ["Service", "ReferenceGrant"])
async def test_a_changed_reference_enqueues_the_object_and_its_servers(
    queues: Queues, kind: str
) -> None:
    queues.cluster.server("shop")
    queues.cluster.tool("search")
    queues.cluster.service()
    await queues.taken()
    queues.cluster.put(kind, "orders" if kind == "Service" else "allow", spec={"changed": True})
    assert await queues.taken() == {SHOP, SEARCH}
    queues.cluster.remove(kind, "orders" if kind == "Service" else "allow")
    assert await queues.taken() == {SHOP, SEARCH}


async def test_a_config_map_enqueues_the_resources_that_refer_to_it(queues: Queues) -> None:
    queues.cluster.server("shop")
    labels = {"labels": {"team": "shop"}}
    spec = {"name": "docs", "contentFrom": FROM_FILES}
    queues.cluster.put("MCPResource", "docs", metadata=labels, spec=spec)
    queues.cluster.tool("search")
    await queues.taken()
    queues.cluster.put("ConfigMap", "files", data={"a": "1"})
    assert await queues.taken() == {SHOP, ("MCPResource", "docs")}
    queues.cluster.put("ConfigMap", "unrelated")
    assert await queues.taken() == set()


async def test_a_change_that_decides_who_gets_a_name_enqueues_all_objects_with_that_name(
    queues: Queues,
) -> None:
    queues.cluster.service("stock")
    queues.cluster.tool("older", name="search", service={"name": "stock", "port": 80})
    queues.cluster.tool("search")
    await queues.taken()
    queues.cluster.remove("Service", "stock")
    assert await queues.taken() == {OLDER, SEARCH}


async def test_pods_and_children_enqueue_their_server(queues: Queues) -> None:
    ours = child_labels("shop", "Gateway")
    queues.cluster.put("Pod", "shop-1", metadata={"labels": ours})
    assert await queues.taken() == {SHOP}
    owner = {
        "apiVersion": "mcp-operator.dev/v1alpha1",
        "kind": "MCPServer",
        "name": "bar",
        "uid": "u",
        "controller": True,
    }
    metadata: dict[str, Any] = {"labels": ours, "ownerReferences": [owner]}
    queues.cluster.put("Deployment", "mcp-server-bar", metadata=metadata)
    assert await queues.taken() == {BAR}
    queues.cluster.put("Deployment", "foreign", metadata={"labels": {"app": "x"}})
    assert await queues.taken() == set()


async def test_a_child_enqueues_its_server_whatever_client_wrote_it(queues: Queues) -> None:
    server = queues.cluster.server("shop")
    await queues.taken()
    head = {"apiVersion": "apps/v1", "kind": "Deployment"}
    metadata = {
        "name": "mcp-server-shop",
        "namespace": "demo",
        "labels": child_labels("shop", "Gateway"),
        "ownerReferences": [owner_reference(server)],
    }
    await queues.cluster.apply(DEPLOYMENTS, {**head, "metadata": metadata})
    assert await queues.taken() == {SHOP}
    queues.cluster.put("Deployment", "mcp-server-shop", spec={"replicas": 5})
    assert await queues.taken() == {SHOP}


async def test_a_changed_secret_enqueues_objects_that_use_it_their_servers_and_rivals(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.tool("older", name="search", request=LOGIN)
    queues.cluster.tool("search")
    queues.cluster.tool("unrelated")
    await queues.taken()
    queues.changed_secrets.send(Key("demo", "other"))
    assert await queues.taken() == set()
    queues.changed_secrets.send(Key("demo", "login"))
    assert await queues.taken() == {SHOP, OLDER, SEARCH}


async def test_a_confirmation_enqueues_the_confirmed_server_or_object(
    queues: Queues,
) -> None:
    queues.confirmed_servers.send(Key("demo", "shop"))
    assert await queues.taken() == {SHOP}
    queues.confirmed_objects["MCPTool"].send(Key("demo", "search"))
    assert await queues.taken() == {SEARCH}


async def test_a_server_that_cannot_be_parsed_selects_nothing(
    queues: Queues,
) -> None:
    queues.cluster.server("shop")
    queues.cluster.tool("search")
    queues.cluster.server("bar", toolSelector="broken")
    await queues.taken()
    queues.cluster.tool("search", description="new")
    assert await queues.taken() == {SHOP, SEARCH}


async def test_an_object_that_cannot_be_parsed_enqueues_its_servers(queues: Queues) -> None:
    queues.cluster.server("shop")
    await queues.taken()
    queues.cluster.tool("search", method="TRACE")
    assert await queues.taken() == {SHOP, SEARCH}


def server(*conditions: Object) -> Object:
    return {"status": {"conditions": list(conditions)}}


def test_a_created_or_deleted_server_is_a_transition() -> None:
    assert programmed_changed(Event("Created", None, server()))
    assert programmed_changed(Event("Deleted", server(), None))
    assert not programmed_changed(Event("Updated", server(), server()))


def test_a_change_between_apply_failed_and_no_ready_pods_is_a_transition() -> None:
    def programmed(reason: str) -> Object:
        return server({"type": "Programmed", "status": "False", "reason": reason})

    failed, empty = programmed("ApplyFailed"), programmed("NoReadyPods")
    assert programmed_changed(Event("Updated", failed, empty))
    assert programmed_changed(Event("Updated", empty, failed))
    assert not programmed_changed(Event("Updated", failed, programmed("Conflict")))
    assert not programmed_changed(Event("Updated", empty, programmed("Propagating")))


PAGE = (Path(__file__).parents[3] / "docs/explanation/control-plane.md").read_text(encoding="utf-8")
CHANNELS = {
    "pod confirmations": "PodConfirmations",
    "changed Secrets": "ChangedSecrets",
    **{f"confirmed {kind}s": "ConfirmedObjects" for kind in CATALOG_RESOURCES},
}


def drawn_as(source: Source) -> str:
    """Return the node of the diagram for a source."""
    if isinstance(source, Channel):
        return CHANNELS.get(source.name, "LostKinds")  # one for each kind
    assert isinstance(source, Informer)
    if source.resource.kind in CATALOG_RESOURCES:
        return "CatalogObject"
    managed = source.processor._selection.label_selector == managed_selector()
    return "Children" if managed and source.resource != PODS else source.resource.kind


@pytest.mark.looptime
async def test_the_diagram_in_the_documentation_shows_every_watch_and_no_other() -> None:
    client = FakeClient()
    informers = InformerSet(client)
    manager = Manager(informers=informers, metrics=client.metrics, metrics_port=0, health_port=0)
    add_controllers(
        manager,
        informers,
        client,
        context=BuildContext(gateway_image="example/gateway:1"),
        recorder=EventRecorder(client, controller="c", instance="i", clock=SystemClock()),
        ask=nobody_answers,
        clock=SystemClock(),
        workers=1,
    )
    arrows = set(re.findall(r"^ +(\w+) -->\|.*\| (mcpserver|catalogobject)$", PAGE, re.MULTILINE))
    assert {each.name for each in manager._controllers} == {
        "mcpserver",
        *(kind.lower() for kind in CATALOG_RESOURCES),
    }
    for controller in manager._controllers:
        queue = "mcpserver" if controller.name == "mcpserver" else "catalogobject"
        watched = {(drawn_as(source), queue) for source in controller._sources}
        assert watched == {arrow for arrow in arrows if arrow[1] == queue}


def test_the_timers_in_the_documentation_match_the_code() -> None:
    timers = re.findall(r"^\| `(\w+)\.(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)
    assert len(timers) == 4
    for module, constant, seconds in timers:
        code = importlib.import_module(f"mcp_operator.controllers.{module}")
        assert getattr(code, constant) == float(seconds)

"""Judges objects with the code of Argo CD and Flux, in ``tests/gitops``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcp_operator.core.meta import Object, Resource, key_of
from mcp_operator.runtime.client import Client
from support import crds
from support.connected import NAMESPACES
from support.installations import RESOURCES
from support.provision import find_judge

ARGO_CD: Final = "argocd-controller"
"""The field manager with which Argo CD applies server-side (argo-cd, common/common.go)."""

CLIENT_SIDE: Final = "kubectl-client-side-apply"
"""The field manager of its client-side applies, which is that of kubectl."""

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


MODES: Final = {"client": {"legacy"}, "server": {"structured", "server"}}
"""Argo CD's ways to compare, by how an object was applied."""


@dataclass(frozen=True)
class Question:
    """A live object, and what to judge about it.

    Attributes:
        live: The object on the API server.
        config: The object in Git; None to compare nothing.
        health: A health check of Argo CD in Lua; empty to run none.
    """

    live: Object
    config: Object | None = None
    health: str = ""


@dataclass(frozen=True)
class Verdict:
    """The judgment of the tools.

    Attributes:
        status: The status by kstatus, such as `Current` or `InProgress`.
        message: The message of kstatus.
        differing: The fields that keep the object OutOfSync in Argo CD, for each of its ways to
            compare (`legacy`, `structured`, `server`) in which fields differ.
        health: The status and the message of the health check, if one was run.
    """

    status: str
    message: str
    differing: dict[str, list[str]] = field(default_factory=dict)
    health: dict[str, str] = field(default_factory=dict)


async def judged(kubeconfig: Path, questions: Sequence[Question]) -> list[Verdict]:
    """Return a verdict for each question.

    Raises:
        UnavailableError: The program cannot be built on this machine.
    """
    program = await asyncio.to_thread(find_judge, print)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        program, str(kubeconfig), stdin=pipe, stdout=pipe, stderr=pipe
    )
    asked = [{"live": one.live, "config": one.config, "health": one.health} for one in questions]
    output, problem = await process.communicate(json.dumps(asked).encode())
    assert process.returncode == 0, problem.decode()
    answers: list[dict[str, Any]] = json.loads(output)
    return [
        Verdict(
            answer["status"], answer["message"], answer["differing"] or {}, answer["health"] or {}
        )
        for answer in answers
    ]


async def out_of_sync(
    client: Client, kubeconfig: Path, objects: Sequence[Object], way: str
) -> dict[str, dict[str, list[str]]]:
    """Apply objects as Argo CD does, and return those that would stay OutOfSync.

    Each is applied twice, client-side as kubectl does, and server-side. Namespaces and the names
    of cluster-scoped objects get a suffix, so that the two are different objects.

    Args:
        client: The client of an administrator, with the field manager `CLIENT_SIDE`.
        kubeconfig: The kubeconfig for the judging program.
        objects: The objects in Git.
        way: The first part of that suffix.

    For client-side applied objects, Argo CD compares with the last applied configuration. The two
    other ways are for server-side applied objects.

    Returns:
        For each object that differs, by its kind, its name and how it was applied: the differing
        fields for each of Argo CD's ways to compare.
    """
    asked = []
    for how in ("client", "server"):
        suffix = f"{way}-{how}"
        moved = [_moved(obj, suffix) for obj in objects]
        for namespace in _namespaces(moved):
            await client.create(NAMESPACES, namespace)
        for obj in moved:
            resource = RESOURCES[obj["kind"]]
            if how == "client":
                live = await _applied_by_client(client, resource, obj)
            else:
                live = await _applied_by_server(client, resource, obj)
            what = f"{obj['kind']} {obj['metadata']['name']}"
            asked.append((what, MODES[how], Question(live, obj)))
    verdicts = await judged(kubeconfig, [question for *_, question in asked])
    found: dict[str, dict[str, list[str]]] = {}
    for (what, modes, _), verdict in zip(asked, verdicts, strict=True):
        if differing := {
            mode: verdict.differing[mode] for mode in modes & verdict.differing.keys()
        }:
            found[what] = differing
    return found


def _moved(obj: Object, suffix: str) -> Object:
    """Return an object with a suffix in its name or namespace."""
    metadata = obj["metadata"]
    if obj["kind"] == crds.DEFINITIONS.kind:
        group = f"{suffix}.{obj['spec']['group']}"
        name = f"{obj['spec']['names']['plural']}.{group}"
        spec = {**obj["spec"], "group": group}
        return {**obj, "metadata": {**metadata, "name": name}, "spec": spec}
    if RESOURCES[obj["kind"]].namespaced:
        namespace = f"{metadata.get('namespace', 'default')}-{suffix}"
        return {**obj, "metadata": {**metadata, "namespace": namespace}}
    return {**obj, "metadata": {**metadata, "name": f"{metadata['name']}-{suffix}"}}


def _namespaces(objects: Sequence[Object]) -> list[Object]:
    """Return the namespaces of objects that are not among the objects."""
    there = {obj["metadata"]["name"] for obj in objects if obj["kind"] == NAMESPACES.kind}
    needed = {obj["metadata"].get("namespace", "") for obj in objects} - there - {""}
    head = {"apiVersion": "v1", "kind": NAMESPACES.kind}
    return [{**head, "metadata": {"name": name}} for name in sorted(needed)]


async def _applied_by_client(client: Client, resource: Resource, obj: Object) -> Object:
    """Create an object as `kubectl apply` does, with the annotation for later comparisons."""
    metadata = obj["metadata"]
    annotations = {**(metadata.get("annotations") or {}), LAST_APPLIED: json.dumps(obj)}
    await client.create(resource, {**obj, "metadata": {**metadata, "annotations": annotations}})
    return await client.get(resource, key_of(obj))


async def _applied_by_server(client: Client, resource: Resource, obj: Object) -> Object:
    """Apply an object as Argo CD does with `ServerSideApply=true`."""
    await client.apply(resource, obj, field_manager=ARGO_CD)
    return await client.get(resource, key_of(obj))

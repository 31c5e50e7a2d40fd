"""Reads servers, their pods and the pods' metrics from the API server, with the caller's rights."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from mcp_operator.api.v1alpha1 import MCPSERVERS
from mcp_operator.app.inspection.connection import NOT_INSTALLED, pod_page
from mcp_operator.app.inspection.top.figures import PodReading, Reading, counts_of
from mcp_operator.builders.labels import SERVER_LABEL, managed_selector
from mcp_operator.builders.resources import PODS
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, Resource, key_of, labels_of, uid_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError

POD_SECONDS: Final = 2.0
"""The timeout for a pod's answer. The screen waits for all pods."""

AT_ONCE: Final = 16
"""Pods that are asked concurrently. The limit protects the API server."""


async def read(client: Client, namespace: str) -> Reading:
    """Read everything once.

    Args:
        client: A client with the permissions of the user.
        namespace: The namespace of the servers; empty for all namespaces.

    Raises:
        OperatorError: The servers cannot be listed.
    """
    try:
        servers = await _listed(client, MCPSERVERS, namespace)
    except ApiError as error:
        raise _not_listed(error, namespace) from error
    notes: dict[str, int] = {}
    pods: dict[Key, dict[str, PodReading]] = {}
    try:
        gateways = await _gateways(client, namespace)
    except ApiError as error:
        notes[f"no calls and latencies, because the pods cannot be listed: {error}"] = 1
        gateways = []
    slots = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(_counted(client, pod, slots) for pod in gateways))
    for pod, answer in zip(gateways, answers, strict=True):
        if isinstance(answer, str):
            note = f"no calls and latencies of pods in {key_of(pod).namespace}: {answer}"
            notes[note] = notes.get(note, 0) + 1
        else:
            server = Key(key_of(pod).namespace, labels_of(pod).get(SERVER_LABEL, ""))
            pods.setdefault(server, {})[uid_of(pod)] = answer
    told = [f"{note} ({count} pods)" if count > 1 else note for note, count in notes.items()]
    return Reading(servers, pods, told)


def _not_listed(error: ApiError, namespace: str) -> OperatorError:
    if error.is_forbidden and not namespace:
        return OperatorError(f"{error}; use --namespace with a namespace that you can read")
    if error.is_not_found:
        return OperatorError(NOT_INSTALLED)
    return error


async def _listed(
    client: Client, resource: Resource, namespace: str, **options: Any
) -> list[Object]:
    pages = client.list_pages(resource, namespace=namespace, **options)
    return [item async for page in pages for item in page.items]


async def _gateways(client: Client, namespace: str) -> list[Object]:
    """Return the pods that run a gateway. Servers in mode Direct do not have its metrics."""
    selector = f"{managed_selector()},app.kubernetes.io/component=gateway"
    pods = await _listed(client, PODS, namespace, label_selector=selector)
    return [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]


async def _counted(client: Client, pod: Object, slots: asyncio.Semaphore) -> PodReading | str:
    """Ask a pod through the API server, and return its counters, or why they are unknown."""
    try:
        async with slots, asyncio.timeout(POD_SECONDS):
            at = asyncio.get_running_loop().time()
            page = await client.request("GET", pod_page(pod, "metrics"))
        return PodReading(at, await asyncio.to_thread(counts_of, page.decode()))
    except TimeoutError:
        return f"no answer within {POD_SECONDS:g} s"
    except ApiError as error:
        if error.is_forbidden:
            return "you have no permission to get pods/proxy there; request it"
        return error.message or str(error)
    except ValueError:
        return "the answer is not in Prometheus' format"

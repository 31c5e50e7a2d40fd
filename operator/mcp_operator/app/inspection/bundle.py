"""`mcp-operator support-bundle`: everything that helps to find a problem, in one archive.

It reads with the permissions of the user who runs it. The archive lists what the user cannot read.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mcp_operator.api.v1alpha1 import MCPPROMPTS, MCPRESOURCES, MCPSERVERS, MCPTOOLS
from mcp_operator.app.inspection.connection import connected
from mcp_operator.app.inspection.redaction import redacted
from mcp_operator.app.inspection.settings import BundleSettings
from mcp_operator.builders.labels import managed_selector
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import CHILDREN, CONFIGMAPS, DEPLOYMENTS, PODS
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Object, Resource, labels_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.leader import LEASES
from mcp_operator.version import VERSION

OURS: Final = (MCPSERVERS, MCPTOOLS, MCPPROMPTS, MCPRESOURCES)

EVENTS: Final = Resource("", "v1", "events", "Event")
"""Events in the older API, which returns those of the newer API, too."""

OPERATOR_SELECTOR: Final = "app.kubernetes.io/name=mcp-operator"

LOG_LINES: Final = 2000
"""The number of lines from the end of each log."""

READ_ME: Final = """\
A support bundle of mcp-operator {version}.

objects/   MCPServers, MCPTools, MCPPrompts and MCPResources, the objects that the operator created
           for them, and events. There are no Secrets, and no catalogs. The values of environment
           variables, headers, commands and annotations are removed.
operator/  the operator's Deployment, pods and Leases
logs/      the last {lines} lines of the operator's and the gateways' logs
errors.txt what could not be read
"""


@dataclass
class Archive:
    """The files of a bundle, and what could not be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add(self, path: str, objects: Iterable[Object]) -> None:
        """Add objects as one YAML file; no file if there are no objects."""
        kept = [redacted(each) for each in objects]
        if kept:
            self.files[path] = yaml.safe_dump_all(kept, sort_keys=False).encode()

    def write(self, target: Path) -> None:
        """Write a gzip-compressed tar archive.

        Raises:
            OperatorError: It cannot be written.
        """
        root = target.name.removesuffix(".tar.gz")
        self.files["README.txt"] = READ_ME.format(version=VERSION, lines=LOG_LINES).encode()
        self.files["errors.txt"] = "".join(f"{line}\n" for line in self.errors).encode()
        try:
            with tarfile.open(target, "x:gz") as archive:
                for path, content in sorted(self.files.items()):
                    info = tarfile.TarInfo(f"{root}/{path}")
                    info.size, info.mode = len(content), 0o600
                    archive.addfile(info, io.BytesIO(content))
        except OSError as error:
            raise OperatorError(
                f"cannot write {target}: {error.strerror}; specify a file that does not exist yet, "
                "in an existing folder"
            ) from error


async def run_bundle(settings: BundleSettings) -> None:
    """Write a bundle, and print its path.

    Raises:
        OperatorError: The cluster cannot be reached, or the file cannot be written.
    """
    async with connected(settings, "support-bundle") as client:
        archive = await collected(client, settings.namespace, settings.operator_namespace)
    archive.write(settings.output)
    sys.stdout.write(f"Wrote {settings.output}. Review it before you share it.\n")
    if archive.errors:
        sys.stderr.write(f"{len(archive.errors)} items could not be read; errors.txt lists them\n")


async def collected(client: Client, namespace: str, operator_namespace: str) -> Archive:
    """Read everything that goes into a bundle.

    Args:
        client: A client with the permissions of the user.
        namespace: The namespace of the objects; empty for all namespaces.
        operator_namespace: The namespace of the operator.
    """
    archive = Archive()
    for resource in OURS:
        archive.add(
            f"objects/{resource.plural}.yaml", await _listed(client, archive, resource, namespace)
        )
    for resource in CHILDREN:
        if resource is not CONFIGMAPS:  # they hold catalogs, which repeat the other objects
            found = await _listed(client, archive, resource, namespace, managed_selector())
            archive.add(f"objects/{resource.plural}.yaml", found)
    pods = await _listed(client, archive, PODS, namespace, managed_selector())
    archive.add("objects/pods.yaml", pods)
    archive.add("objects/events.yaml", _about_us(await _listed(client, archive, EVENTS, namespace)))
    operators = await _listed(client, archive, PODS, operator_namespace, OPERATOR_SELECTOR)
    archive.add("operator/pods.yaml", operators)
    for resource, selector in ((DEPLOYMENTS, OPERATOR_SELECTOR), (LEASES, "")):
        found = await _listed(client, archive, resource, operator_namespace, selector)
        archive.add(f"operator/{resource.plural}.yaml", found)
    pods = [*operators, *filter(_is_gateway, pods)]
    async for path, text in _logs(client, archive, pods):
        archive.files[path] = text
    return archive


def _is_gateway(pod: Object) -> bool:
    """Tell whether a pod is a gateway, whose logs hold no secrets, and not a user's own image."""
    return labels_of(pod).get("app.kubernetes.io/component") == "gateway"


async def _listed(
    client: Client, archive: Archive, resource: Resource, namespace: str, selector: str = ""
) -> list[Object]:
    query = {"labelSelector": selector} if selector else {}
    try:
        body = await client.request("GET", resource.path(namespace), query=query)
    except ApiError as error:
        if error.is_unreachable and not (archive.files or archive.errors):
            raise  # later on, what was read before is worth a bundle
        if not error.is_not_found:  # not found: the cluster does not serve the resource
            archive.errors.append(f"{resource}: {error}")
        return []
    items: list[Object] = json.loads(body)["items"]
    for item in items:
        item["metadata"].pop("managedFields", None)
        item |= {"apiVersion": resource.api_version, "kind": resource.kind}
    return items


def _about_us(events: list[Object]) -> Iterator[Object]:
    """Yield the events about objects of the four kinds, and about their children."""
    kinds = {resource.kind for resource in OURS}
    for event in events:
        about: Any = event.get("involvedObject") or {}
        if about.get("kind") in kinds or str(about.get("name", "")).startswith(child_name("")):
            yield event


async def _logs(
    client: Client, archive: Archive, pods: list[Object]
) -> AsyncIterator[tuple[str, bytes]]:
    for pod in pods:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        for container in pod["spec"]["containers"]:
            query = {"container": container["name"], "tailLines": str(LOG_LINES)}
            try:
                text = await client.request("GET", PODS.path(namespace, name, "log"), query=query)
            except ApiError as error:
                archive.errors.append(f"log of {namespace}/{name}: {error}")
            else:
                yield f"logs/{namespace}/{name}/{container['name']}.log", text

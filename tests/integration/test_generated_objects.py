"""If the API server admits a server and its tools, it also admits the children built from them.

Servers, and the tools, prompts and resources that they select, are random. A real API server judges
each of them, and every child that is built from them, as the operator applies it.
`MCP_OPERATOR_GENERATED=2000` generates that many servers, different ones each time, as CI does
every night.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from mcp_operator.builders.children import Child
from mcp_operator.builders.compiled import InvalidError
from mcp_operator.core.meta import Key, Object
from mcp_operator.runtime.client import Client
from support.admission import Verdict, admit, judge
from support.connected import NAMESPACES
from support.generated import Generator
from support.rendered import rendered

EXAMPLES = int(os.environ.get("MCP_OPERATOR_GENERATED") or 0)

RESTRICTED = {"pod-security.kubernetes.io/warn": "restricted"}

LONGEST = 63
"""Characters of a DNS label (RFC 1123), and of the value of a label."""

KNOWN = re.compile(
    r"volumeMounts\[\d+\]\.name: Not found"  # it can be a volume of the installation
    r"|\.sleep: .*must be non-negative and less than terminationGracePeriodSeconds"  # likewise
    r"|\.requests: .*must be less than or equal to \w+ limit"  # no rule can compare quantities
    r"|\.except\[\d+\]: .*must be a strict subset of"  # no rule can compare address ranges
    r"|\.projected: .*conflicting duplicate paths"  # two of its sources conflict
    r"|ports\[\d+\](\.name)?: Duplicate value"  # no rule can compare items with two keys
    r"|tolerations\[\d+\]\.operator: Unsupported value"  # depends on a feature gate of the cluster
)
"""Causes that only the API server can report; the condition Programmed repeats its message."""

KNOWN_WITHOUT_CAUSE = re.compile(
    r"json: cannot unmarshal number \d+ into Go value of type int32"  # a port named 8e14
    r"|\.ports: duplicate entries for key"
)
"""Refusals without causes, only with a message."""

LONGER = {"ConfigMap": 253}
"""The maximum length of a name that has to be a DNS subdomain."""


@pytest.fixture
async def restricted(client: Client, namespace: str, crds_installed: None) -> str:
    """A namespace that warns about pods that violate the Pod Security level `restricted`."""
    await client.merge_patch(NAMESPACES, Key("", namespace), {"metadata": {"labels": RESTRICTED}})
    return namespace


@settings(
    max_examples=EXAMPLES or 100,
    derandomize=not EXAMPLES,
    database=None,
    phases=[Phase.generate],  # a smaller seed does not produce a smaller object
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(min_value=0, max_value=2**63))
async def test_the_api_server_admits_the_children_of_every_admitted_server(
    client: Client, restricted: str, seed: int
) -> None:
    server, members = made(seed, restricted)
    note(f"Generator({seed}): {server}, {members}")
    for obj in (server, *members):
        await admit(client, obj, restricted)
    try:
        children = rendered(server, members)
    except InvalidError:  # a condition reports what no rule can express
        return
    verdicts = await asyncio.gather(*(judge(client, one.resource, one.object) for one in children))
    refused = {
        f"{child.resource.kind} {child.object['metadata']['name']}": verdict
        for child, verdict in zip(children, verdicts, strict=True)
        if not is_admitted(verdict)
    }
    assert refused == {}
    assert too_long(children) == []
    assert collisions(children) == []


def is_admitted(verdict: Verdict) -> bool:
    """Return whether a child is admitted without warnings about Pod Security."""
    causes = [one for one in verdict.causes if not KNOWN.search(one)]
    known = (verdict.causes and not causes) or KNOWN_WITHOUT_CAUSE.search(verdict.message)
    refused = verdict.status != 200 and not known
    return not refused and "would violate PodSecurity" not in verdict.warnings


def made(seed: int, namespace: str) -> tuple[Object, list[Object]]:
    """Return a server, and some objects that it could select."""
    generator, random = Generator(seed), Random(seed)  # noqa: S311 - to make tests, not keys
    stored = {"namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"}
    labels = {"example.com/team": "a" * random.choice((1, 63))}
    server = generator.object("MCPServer", labels=labels, uid="server", **stored)
    kinds = ["MCPTool", "MCPPrompt", "MCPResource"] * 2
    chosen = random.sample(kinds, random.randint(0, 3))
    members = [
        generator.object(kind, f"member-{number}", uid=f"{number}", **stored)
        for number, kind in enumerate(chosen)
    ]
    return server, members


def too_long(children: list[Child]) -> list[str]:
    """Return the names and the label values that have too many characters."""
    found = []
    for kind, obj in ((child.resource.kind, child.object) for child in children):
        metadata = [obj["metadata"]]
        if kind == "Deployment":
            metadata.append(obj["spec"]["template"]["metadata"])
        labels = [value for one in metadata for value in one.get("labels", {}).values()]
        found += [text for text in labels if len(text) > LONGEST]
        if len(obj["metadata"]["name"]) > LONGER.get(kind, LONGEST):
            found.append(obj["metadata"]["name"])
    return found


def collisions(children: list[Child]) -> list[tuple[str, str]]:
    """Return the kinds and names of children that would be applied twice."""
    counted = Counter((one.resource.kind, one.object["metadata"]["name"]) for one in children)
    return [what for what, number in counted.items() if number > 1]

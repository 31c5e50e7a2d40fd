"""Any content of a file is reported as a problem, and never causes a crash."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.api.structure import Path as FieldPath
from mcp_operator.local.documents import Document, Loaded, load
from mcp_operator.local.manifests import Manifests
from mcp_operator.local.validation import findings

SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"
EXTRA = """\
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: YQ==}
stringData: {b: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: a}
binaryData: {b: YQ==}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g}
spec:
  from: [{group: mcp-operator.dev, kind: MCPTool, namespace: other}]
  to: [{group: "", kind: Service}]
---
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPTool
metadata: {name: far, namespace: other}
spec: {name: far, service: {name: shop-backend, namespace: default, port: 80}}
"""
JUNK: list[Any] = [None, True, 0, -1, 1.5, "", "x", "{", [], [None], ["x"], {}, {"x": None}, "é\n"]
ROUNDS = 200


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, ...]:
    extra = tmp_path_factory.mktemp("extra") / "extra.yaml"
    extra.write_text(EXTRA)
    return load([SAMPLES, extra]).documents


@pytest.mark.parametrize("seed", range(5))
def test_no_content_of_a_file_causes_a_crash(documents: tuple[Document, ...], seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    for _ in range(ROUNDS // 5):
        broken = [_broken(dice, document) for document in documents]
        manifests = Manifests(Loaded(tuple(broken), (), 1))
        for problem in (*manifests.problems, *findings(manifests)):
            assert problem.message
        for server in manifests.servers.values():
            manifests.assembly(server)
        manifests.local_addresses()


def _broken(dice: random.Random, document: Document) -> Document:
    """Replace one value with junk in about every third document."""
    if dice.random() > 1 / 3:
        return document
    obj = copy.deepcopy(document.obj)
    *parents, last = dice.choice(_paths(obj))
    target: Any = obj
    for part in parents:
        target = target[part]
    target[last] = dice.choice(JUNK)
    return Document(obj, document.file, document.located)


def _paths(value: Any, path: FieldPath = ()) -> list[FieldPath]:
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    else:
        below = []
    own = [path] if path else []
    return own + [found for key, item in below for found in _paths(item, (*path, key))]

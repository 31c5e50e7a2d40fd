"""YAML of users, as `serve` and `validate` read it: compiled, or reported with its location."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import yaml

from fuzz.feed import Feed
from mcp_operator.core.errors import OperatorError
from mcp_operator.local.documents import Document, Loaded, _objects
from mcp_operator.local.manifests import Manifests
from mcp_operator.local.problems import FileProblem
from mcp_operator.local.yaml_values import YamlError, yaml_values

FILE = Path("fuzz.yaml")
SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"


@functools.cache
def samples() -> tuple[str, ...]:
    """Return the objects of the samples."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(SAMPLES.rglob("*.yaml"))]
    objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return tuple(json.dumps(one) for one in objects if "kind" in one and len(str(one)) < 3000)


def check(data: bytes) -> None:
    """Read a file with any text, or with changed samples."""
    feed = Feed(data)
    if feed.byte() % 2:
        text = feed.rest().decode("utf-8", "ignore")
    else:
        objects = [json.loads(feed.pick(samples())) for _ in range(1 + feed.byte() % 3)]
        for one in objects:
            _change(feed, one)
        text = "\n---\n".join(json.dumps(one) for one in objects)
    problems: list[FileProblem] = []
    documents: list[Document] = []
    try:
        for value, located in yaml_values(text):
            json.dumps(value)
            documents += _objects(value, FILE, located)
    except YamlError as error:
        assert error.line >= 1
        problems.append(FileProblem(FILE, error.line, "", str(error)))
    manifests = Manifests(Loaded(tuple(documents), tuple(problems), 1))
    for problem in manifests.problems:
        assert str(problem).isprintable(), problem
    for server in manifests.servers.values():
        _check_server(manifests, server)


def _check_server(manifests: Manifests, server: Any) -> None:
    try:
        manifests.choose(f"{server.namespace}/{server.name}")
    except OperatorError:
        return
    manifests.assembly(server)
    manifests.not_selected()


def _change(feed: Feed, value: Any) -> None:
    """Replace, remove or add something below the head of an object."""
    for _ in range(feed.byte() % 4):
        at: Any = value
        while True:
            keys: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
            if not keys:
                break
            key = feed.pick(keys)
            if isinstance(at[key], dict | list) and at[key] and feed.byte() % 4:
                at = at[key]
                continue
            if feed.byte() % 3 == 0:
                del at[key]
            else:
                at[key] = json.loads(json.dumps(feed.value()))
            break

from __future__ import annotations

from pathlib import Path

import pytest

from mcp_operator.core.meta import Key
from mcp_operator.local.documents import load
from mcp_operator.local.manifests import ChoiceError, Manifests

SERVER = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPServer
metadata: {name: %s, namespace: %s}
spec:
  toolSelector: {matchLabels: {app: shop}}
"""

RESOURCE = """\
apiVersion: mcp-operator.dev/v1alpha1
kind: MCPResource
metadata: {name: %s, namespace: %s, labels: {app: %s}}
spec:
  name: docs
  contentFrom:
    uri: docs://intro
    configMapKeyRef: {name: docs, key: %s}
"""

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: docs, namespace: demo}
data: {text: Hello}
binaryData: {bytes: AAE=}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: %s
  annotations: {%s}
spec: {ports: [{port: 80}]}
"""


def read(tmp_path: Path, *documents: str) -> Manifests:
    (tmp_path / "world.yaml").write_text("---\n".join(documents))
    found = Manifests(load([tmp_path]))
    assert found.problems == ()
    return found


def test_the_only_server_is_chosen_without_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, SERVER % ("shop", "demo")).choose().name == "shop"


def test_one_of_several_servers_is_chosen_by_name(tmp_path: Path) -> None:
    names = [("shop", "a"), ("shop", "b"), ("other", "b")]
    found = read(tmp_path, *(SERVER % name for name in names))

    assert found.choose("other").namespace == "b"
    assert found.choose("a/shop").namespace == "a"
    with pytest.raises(ChoiceError, match="--server; the files contain a/shop, b/other, b/shop"):
        found.choose()
    with pytest.raises(ChoiceError, match="several MCPServers match"):
        found.choose("shop")
    with pytest.raises(ChoiceError, match="no MCPServer none in the files; they contain a/shop"):
        found.choose("none")


def test_a_server_serves_the_selected_objects_of_its_own_namespace(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        SERVER % ("shop", "demo"),
        CONFIG_MAP,
        CONFIG_MAP.replace("demo", "elsewhere"),
        RESOURCE % ("mine", "demo", "shop", "text"),
        RESOURCE % ("not-selected", "demo", "other", "text"),
        RESOURCE % ("far", "elsewhere", "shop", "text"),
    )

    (selected,) = found.selected(found.choose())
    assert selected.compiled.key == Key("demo", "mine")
    (entry,) = found.assembly(found.choose()).catalog.resources
    assert (entry.source.name, entry.text) == ("mine", "Hello")


def test_binary_data_of_a_config_map_is_served_as_a_blob(tmp_path: Path) -> None:
    resource = RESOURCE % ("mine", "demo", "shop", "bytes")
    found = read(tmp_path, SERVER % ("shop", "demo"), CONFIG_MAP, resource)

    (entry,) = found.assembly(found.choose()).catalog.resources
    assert entry.blob == "AAE="


def test_objects_without_a_namespace_are_in_the_default_one(tmp_path: Path) -> None:
    local = SERVICE % ("orders", "mcp-operator.dev/local-address: '127.0.0.1:9000'")
    found = read(tmp_path, local, SERVICE % ("users", ""))

    assert found.services.keys() == {Key("default", "orders"), Key("default", "users")}
    assert found.local_addresses() == {Key("default", "orders"): "127.0.0.1:9000"}

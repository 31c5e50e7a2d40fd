"""The children of a server, if everything that it and its objects refer to exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.catalog import MODELS, compile_object
from mcp_operator.builders.children import Child, build_children
from mcp_operator.builders.cluster_facts import gather_cluster_facts
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.references import Facts
from mcp_operator.builders.server_catalog import build_server_catalog
from mcp_operator.controllers.parsing import Parser
from mcp_operator.core.meta import Key, Object

CONTEXT = BuildContext(
    "mcp-operator:test",
    operator_namespace="mcp-system",
    external_hosts=("*",),
    passed_labels=("*",),
    passed_annotations=("*",),
)


class _Everything(Mapping[Any, Any]):
    """A mapping that has every key, with one value."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getitem__(self, key: Any) -> Any:
        return self._value

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 1


class _EveryKey(frozenset[str]):
    """A set that has every key."""

    def __contains__(self, key: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


FACTS = Facts(
    config_maps=_Everything(_Everything('{"type": "object"}')),
    secrets=_Everything(_EveryKey()),
    check_services=False,
    external_hosts=CONTEXT.external_hosts,
)


def rendered(server: Object, members: Iterable[Object]) -> list[Child]:
    """Return the children of a server, built with the functions of the operator.

    Raises:
        InvalidError: The spec of the server cannot be read.
    """
    parsed = Parser().server(server)
    compiled = [compile_object(MODELS[raw["kind"]].model_validate(raw), FACTS) for raw in members]
    catalog = build_server_catalog(parsed.model, compiled, FACTS)
    facts = gather_cluster_facts(catalog.called, _service, has_gateway_api=True)
    model: MCPServer = parsed.model
    return build_children(model, catalog, CONTEXT, facts)


def _service(key: Key) -> Object:
    ports = [{"port": 80, "targetPort": "http"}]
    return {"spec": {"selector": {"app": key.name}, "ports": ports}}

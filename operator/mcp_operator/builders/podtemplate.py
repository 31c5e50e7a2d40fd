"""Pod settings of users, which are added to the operator's own.

The installation has a template for all servers, and a server has one for its own pods.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final, TypeVar

from mcp_operator.api.base import ApiModel
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.podtemplate import (
    RESERVED_KEYS,
    ContainerSettings,
    ExtraContainer,
    PodSettings,
    PodTemplate,
)
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.podsecurity import container_security
from mcp_operator.core.meta import Object, annotations_of, labels_of

_Settings = TypeVar("_Settings", PodSettings, ContainerSettings)

_NOT_OURS_TO_PASS: Final = re.compile(
    RESERVED_KEYS + r"|^([a-z0-9.-]+[.])?(kubectl[.]kubernetes|argoproj|toolkit[.]fluxcd)[.]io/"
)
"""Keys that say what an object is, or who applied it. On a child, they would be wrong."""


def pod_template(server: MCPServer, context: BuildContext) -> PodTemplate:
    """Merge a server's template over the installation's, and add the metadata passed on to pods."""
    default, own = context.pod_template, server.spec.pod_template
    labels, annotations = passed_on(server, context)
    return own.model_copy(
        update={
            "metadata": own.metadata.model_copy(
                update={
                    "labels": labels | default.metadata.labels | own.metadata.labels,
                    "annotations": annotations
                    | default.metadata.annotations
                    | own.metadata.annotations,
                }
            ),
            "spec": _over(default.spec, own.spec),
            "container": _over(default.container, own.container),
            "containers": own.containers or default.containers,
            "init_containers": own.init_containers or default.init_containers,
        }
    )


def passed_on(server: MCPServer, context: BuildContext) -> tuple[dict[str, str], dict[str, str]]:
    """Return the labels and the annotations that a server passes on to its children."""
    meta: Object = {"metadata": server.metadata}
    return (
        _matching(labels_of(meta), context.passed_labels),
        _matching(annotations_of(meta), context.passed_annotations),
    )


def pod_fields(template: PodTemplate) -> Object:
    """Return the fields of a pod that a template sets, in the form of a Deployment.

    It leaves out the security context and volumes, which are merged with the operator's own, and
    the termination grace period, which only a server in mode Direct can set.
    """
    fields = written(template.spec)
    for name in ("securityContext", "volumes", "terminationGracePeriodSeconds"):
        fields.pop(name, None)
    return fields


def extra_containers(containers: Iterable[ExtraContainer]) -> list[Object]:
    """Return the additional containers, with the same restrictions as the main one."""
    return [
        written(container)
        | {
            "securityContext": container_security(read_only_root=False)
            | written(container.security_context)
        }
        for container in containers
    ]


def written(model: ApiModel | None) -> Object:
    """Return the fields that a model sets, in the form of the API."""
    return (
        model.model_dump(mode="json", by_alias=True, exclude_none=True) if model is not None else {}
    )


def _over(default: _Settings, own: _Settings) -> _Settings:
    """Return the settings of a server, and the installation's for what the server does not set.

    Lists are replaced as a whole. Node selectors are merged, even beyond the limit of one of them.
    """
    below, above = written(default), written(own)
    if not below:
        return own
    settings = type(own).model_validate(below | above)
    if "nodeSelector" in below and "nodeSelector" in above:
        both = below["nodeSelector"] | above["nodeSelector"]
        return settings.model_copy(update={"node_selector": both})
    return settings


def _matching(keys: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    chosen = tuple(patterns)
    return {
        key: value
        for key, value in keys.items()
        if not _NOT_OURS_TO_PASS.search(key) and any(fnmatchcase(key, one) for one in chosen)
    }

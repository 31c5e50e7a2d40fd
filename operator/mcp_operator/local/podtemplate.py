"""The installation's pod template, as written in its settings."""

from __future__ import annotations

from mcp_operator.api.base import GROUP, VERSION
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.api.validation import problems
from mcp_operator.core.errors import SettingsError
from mcp_operator.local.yaml_values import YamlError, yaml_values


def read_pod_template(text: str) -> PodTemplate:
    """Parse a pod template.

    It is validated as `spec.podTemplate` of a server in mode Direct, because that allows every
    field. A gateway ignores the same fields from the installation as from its own server.

    Raises:
        SettingsError: One line for each problem.
    """
    try:
        templates = [value for value, _ in yaml_values(text)]
    except YamlError as error:
        raise SettingsError(f"The pod template: line {error.line}: {error}") from error
    if not templates:
        raise SettingsError("The pod template is empty; write {} or remove the setting")
    if len(templates) > 1:
        raise SettingsError("The pod template has more than one YAML document; keep one")
    obj = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "MCPServer",
        "metadata": {"name": "installation", "namespace": "default"},
        "spec": {"toolSelector": {}, "image": "any", "podTemplate": templates[0]},
    }
    if found := problems(obj):
        lines = (f"{one.field.removeprefix('spec.')}: {one.message}" for one in found)
        raise SettingsError("\n".join(lines))
    return MCPServer.model_validate(obj).spec.pod_template

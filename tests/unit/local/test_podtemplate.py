from __future__ import annotations

import pytest

from mcp_operator.core.errors import SettingsError
from mcp_operator.local.podtemplate import read_pod_template


def test_a_pod_template_is_parsed_from_yaml() -> None:
    template = read_pod_template("spec:\n  priorityClassName: gold\n")
    assert template.spec.priority_class_name == "gold"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nothing yet\n", "is empty"),
        ("\n", "is empty"),
        ("null", "podTemplate: must be of type object"),
        ("{}\n---\n{}", "has more than one YAML document"),
        ("spec: [", "is not valid YAML"),
        ("spec: {hostNetwork: true}", "podTemplate.spec.hostNetwork: unknown field"),
    ],
)
def test_an_invalid_pod_template_is_rejected_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_pod_template(text)

"""Which clients are served what: the rules of a catalog."""

from __future__ import annotations

from mcp_operator.api.catalog_model import Strict


class ClaimValues(Strict):
    """A claim of a token, one of whose values must be among these."""

    name: str
    values: tuple[str, ...]


class AccessRule(Strict):
    """Serves what matches one of the patterns to clients for whom every condition holds.

    In a pattern, `*` stands for any characters. The conditions are `principals`, `any_scope`,
    `claims` and `when`, which is CEL, as far as they are given; a rule without any is for nobody.
    `tools` and `prompts` are patterns of names, `resources` of URIs and URI templates.
    """

    tools: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    any_scope: tuple[str, ...] = ()
    claims: tuple[ClaimValues, ...] = ()
    when: str = ""

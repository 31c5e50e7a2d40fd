"""Access rules of a catalog: which clients can use which tools, prompts and resources."""

from __future__ import annotations

from mcp_operator.api.catalog_model import Strict


class ClaimValues(Strict):
    """A claim of a token that must have at least one of these values."""

    name: str
    values: tuple[str, ...]


class AccessRule(Strict):
    """Gives clients that meet every condition access to what matches one of the patterns.

    In a pattern, `*` stands for any characters. The conditions are `principals`, `any_scope`,
    `claims` and `when`, which is CEL. Only the conditions that are set count; a rule without any
    condition applies to nobody. `tools` and `prompts` are patterns of names, `resources` of URIs
    and URI templates.
    """

    tools: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    any_scope: tuple[str, ...] = ()
    claims: tuple[ClaimValues, ...] = ()
    when: str = ""

"""The identity of a server's pods: an account that the operator creates, or one that consents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mcp_operator.api.conditions import ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.compiled import Finding
from mcp_operator.builders.context import BuildContext, child
from mcp_operator.builders.labels import DOMAIN
from mcp_operator.builders.names import child_name
from mcp_operator.builders.podtemplate import pod_template
from mcp_operator.builders.resources import SERVICEACCOUNTS
from mcp_operator.core.meta import Key, Object, controller_of

USABLE_LABEL: Final = f"{DOMAIN}/usable"
"""On a ServiceAccount: if the value is `true`, pods of MCPServers may run as it. Users who can edit
the account decide this, not users who can edit MCPServers."""


def usable_selector() -> str:
    """Return the label selector, in query form, that matches the accounts that consent."""
    return f"{USABLE_LABEL}=true"


def chosen_account(server: MCPServer, context: BuildContext) -> str:
    """Return the account that a server or the installation names; empty if neither does."""
    return pod_template(server, context).spec.service_account_name or ""


def account_finding(
    server: MCPServer, context: BuildContext, usable: Callable[[Key], Object | None]
) -> Finding | None:
    """Return why the pods must not run as the chosen account; None if they can.

    Args:
        server: The server.
        context: What the operator's settings say.
        usable: Returns the metadata of an account that consents; None for any other.
    """
    name = chosen_account(server, context)
    if not name:
        return None
    found = usable(Key(server.namespace, name))
    if found is not None and controller_of(found) is None:
        return None
    problem = (
        "does not exist, or does not permit its use by MCPServers: create it, or label it "
        f"{USABLE_LABEL}=true"
        if found is None
        else "is controlled by another object, which may delete it: use one without a controller"
    )
    account = f"ServiceAccount {name} of namespace {server.namespace}"
    message = f"pods are not created or updated: {account} {problem}"
    return Finding(ConditionType.RESOLVED_REFS, Reason.SERVICE_ACCOUNT_NOT_USABLE, message)


def build_service_account(server: MCPServer, context: BuildContext) -> Object | None:
    """Return the ServiceAccount, or None if another one is chosen.

    Pods get its token only if their own spec asks for it.
    """
    if chosen_account(server, context):
        return None
    return {
        **child(server, SERVICEACCOUNTS, child_name(server.name)),
        "automountServiceAccountToken": False,
    }

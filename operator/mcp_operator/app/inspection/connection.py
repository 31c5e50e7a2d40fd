"""The API client of a command, with the permissions of the user who runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from mcp_operator.app.inspection.settings import BundleSettings, CatalogSettings, TopSettings
from mcp_operator.builders.deployment import MANAGEMENT_PORT
from mcp_operator.builders.resources import PODS
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Object, key_of
from mcp_operator.core.metrics import RuntimeMetrics, new_registry
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.version import VERSION

NOT_INSTALLED: Final = "the cluster has no MCPServers: mcp-operator is not installed in it"


def pod_page(pod: Object, page: str) -> str:
    """Return the path of a page of a pod's management port, through the API server's proxy.

    Getting it needs the permission to get `pods/proxy`.
    """
    key = key_of(pod)
    return f"{PODS.path(key.namespace, key.name)}:{MANAGEMENT_PORT}/proxy/{page}"


def _explained(error: ApiError) -> OperatorError:
    """Add what to do if the cluster is not there, or the user has no valid login."""
    if error.is_unreachable:
        return OperatorError(
            f"{error}. Check that the cluster runs; choose another one with --kubeconfig or "
            "--context"
        )
    if error.status == HTTPStatus.UNAUTHORIZED:
        return OperatorError(
            f"{error}. The cluster does not accept the login of the kubeconfig: log in again, or "
            "choose another one with --kubeconfig or --context"
        )
    return error


@asynccontextmanager
async def connected(
    settings: CatalogSettings | BundleSettings | TopSettings, command: str
) -> AsyncIterator[Client]:
    """Connect to the cluster of a kubeconfig, for the duration of the block.

    Args:
        settings: They name the kubeconfig and its context.
        command: The name of the command.

    Raises:
        SettingsError: There is no usable configuration.
        OperatorError: The cluster cannot be reached, or does not know the user.
    """
    name = f"mcp-operator-{command}"
    client = await Client.connect(
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        field_manager=name,
        user_agent=f"{name}/{VERSION}",
        metrics=RuntimeMetrics(new_registry()),
    )
    try:
        yield client
    except ApiError as error:
        raise _explained(error) from error
    finally:
        await client.close()

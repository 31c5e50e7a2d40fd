"""Finds the API server and the credentials for it: in a pod, or through a kubeconfig."""

from __future__ import annotations

import asyncio
import os
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from yaml import YAMLError

from mcp_operator.core.errors import SettingsError
from mcp_operator.runtime.kubernetes import (
    ConfigException,
    Configuration,
    load_incluster_config,
    load_kube_config,
)

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and the cluster's CA."""

BEARER: Final = "BearerToken"
"""The entry of `Configuration.api_key` that holds the Authorization header."""

ConfigurationLoader = Callable[[], Awaitable[Configuration]]
"""Reads the configuration again. Raises an OperatorError if it cannot be read."""


def in_cluster(directory: Path = SERVICE_ACCOUNT) -> bool:
    """Tell whether this process runs in a pod that has a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (directory / "token").is_file()


async def load_service_account(directory: Path = SERVICE_ACCOUNT) -> Configuration:
    """Load the configuration of this pod's service account.

    Raises:
        SettingsError: A file is missing or empty, or the token cannot be sent.
    """
    configuration = Configuration()
    try:
        await asyncio.to_thread(
            load_incluster_config,
            configuration,
            try_refresh_token=False,  # the transport does, and it reads the CA again as well
            token_filename=str(directory / "token"),
            cert_filename=str(directory / "ca.crt"),
        )
    except (ConfigException, OSError) as error:
        raise SettingsError(
            f"the service account of this pod cannot be read ({error}): set "
            "automountServiceAccountToken to true, or name a kubeconfig"
        ) from error
    return _checked(configuration)


async def load_kubeconfig(path: Path | None, context: str) -> Configuration:
    """Load a kubeconfig, running its exec plugin if it has one.

    Args:
        path: The file; None for those that KUBECONFIG names, or `~/.kube/config`.
        context: The context to use; the file's current context if empty.

    Raises:
        SettingsError: The file or the context cannot be used.
    """
    configuration = Configuration()

    def load() -> None:
        # The loader is a coroutine for its exec plugins, and blocks while it reads files.
        asyncio.run(
            load_kube_config(
                config_file=str(path) if path else None,
                context=context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        )

    try:
        await asyncio.to_thread(load)
    # The library looks into the file without checking its form first.
    except (
        ConfigException,
        YAMLError,
        *(OSError, TypeError, ValueError, LookupError, AttributeError, AssertionError),
    ) as error:
        where = str(path) if path else "KUBECONFIG or ~/.kube/config"
        why = " ".join(str(error).split()) or "it is incomplete"
        raise SettingsError(
            f"the kubeconfig {where} cannot be used: {why}. Name another file or context"
        ) from error
    return _checked(configuration)


def _checked(configuration: Configuration) -> Configuration:
    """Complete a configuration by the environment's proxy, and refuse what cannot be sent.

    Raises:
        SettingsError: The token or the proxy's URL is not usable.
    """
    header = configuration.api_key.get(BEARER)
    if header is not None:
        token = header.removeprefix("Bearer ").strip()
        if not (token and token.isascii() and token.isprintable()):
            raise SettingsError("the API server's token is empty or is not printable ASCII")
        configuration.api_key[BEARER] = f"Bearer {token}"
    proxy = configuration.proxy or _environment_proxy(str(configuration.host))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"  # as curl reads it
    if (scheme := urlsplit(proxy).scheme) not in {"", "http", "https"}:
        raise SettingsError(f"a proxy of the type {scheme} is not supported: use an HTTP proxy")
    configuration.proxy = proxy or None
    return configuration


def _environment_proxy(server: str) -> str:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a server, or empty."""
    parts = urlsplit(server)
    if urllib.request.proxy_bypass(parts.netloc):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")

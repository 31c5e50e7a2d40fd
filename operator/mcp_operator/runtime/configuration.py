"""Finds the API server and its credentials: in a pod, or through a kubeconfig."""

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
"""The directory of a pod's token and the cluster's CA."""

BEARER: Final = "BearerToken"
"""The entry of `Configuration.api_key` that holds the Authorization header."""

ConfigurationLoader = Callable[[], Awaitable[Configuration]]
"""Loads the configuration again; raises an OperatorError if that fails."""


def in_cluster(directory: Path = SERVICE_ACCOUNT) -> bool:
    """Return whether this process runs in a pod with a service account."""
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
            try_refresh_token=False,  # the transport reloads the token, and the CA as well
            token_filename=str(directory / "token"),
            cert_filename=str(directory / "ca.crt"),
        )
    except (ConfigException, OSError) as error:
        raise SettingsError(
            f"cannot read the service account of this pod ({error}): set "
            "automountServiceAccountToken to true, or specify a kubeconfig"
        ) from error
    return _checked(configuration)


async def load_kubeconfig(path: Path | None, context: str) -> Configuration:
    """Load a kubeconfig, and run its exec plugin if it has one.

    Defaults are the files listed in KUBECONFIG, or `~/.kube/config`, and the current context.

    Raises:
        SettingsError: The file or the context cannot be used.
    """
    configuration = Configuration()
    files = [path] if path else [Path(one) for one in _kubeconfigs()]
    if not await asyncio.to_thread(lambda: any(map(Path.exists, files))):
        named = " or ".join(map(str, files))
        raise SettingsError(
            f"there is no kubeconfig {named}: specify one with --kubeconfig or in KUBECONFIG"
        )

    def load() -> None:
        # The loader is a coroutine because of its exec plugins, but blocks to read files.
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
    # The library does not validate the structure of the file.
    except (
        ConfigException,
        YAMLError,
        *(OSError, TypeError, ValueError, LookupError, AttributeError, AssertionError),
    ) as error:
        where = str(path) if path else "KUBECONFIG or ~/.kube/config"
        why = " ".join(str(error).split()) or "it is incomplete"
        raise SettingsError(
            f"cannot use the kubeconfig {where}: {why}. Specify another "
            "file or context; `kubectl config get-contexts` lists the contexts"
        ) from error
    return _checked(configuration)


def _kubeconfigs() -> list[str]:
    """Return the files that kubectl reads without --kubeconfig."""
    named = [one for one in os.environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return named or [str(Path("~/.kube/config").expanduser())]


def _checked(configuration: Configuration) -> Configuration:
    """Add the proxy from the environment, and validate the token and the proxy.

    Raises:
        SettingsError: The token or the proxy URL is invalid.
    """
    header = configuration.api_key.get(BEARER)
    if header is not None:
        token = header.removeprefix("Bearer ").strip()
        if not (token and token.isascii() and token.isprintable()):
            raise SettingsError("the token for the API server is empty or not printable ASCII")
        configuration.api_key[BEARER] = f"Bearer {token}"
    proxy = configuration.proxy or _environment_proxy(str(configuration.host))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"  # like curl
    if (scheme := urlsplit(proxy).scheme) not in {"", "http", "https"}:
        raise SettingsError(f"the proxy scheme {scheme} is not supported: use an HTTP proxy")
    configuration.proxy = proxy or None
    return configuration


def _environment_proxy(server: str) -> str:
    """Return the proxy for a server according to HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or empty."""
    parts = urlsplit(server)
    if urllib.request.proxy_bypass(parts.netloc):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")

"""How to reach an API server: address, certificates, credentials and proxy, as of one moment."""

from __future__ import annotations

import os
import ssl
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mcp_operator.core.errors import SettingsError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod finds its token and the cluster's CA."""


@dataclass(frozen=True, slots=True)
class Access:
    """Everything a connection needs; two that are equal but for the token share connections.

    Attributes:
        server: The URL of the API server, without a slash at its end.
        authorization: The value of the header of that name, or empty.
        ca: The CA certificates in PEM; empty for those of the system.
        client_certificate: Path of the client's certificate, or empty.
        client_key: Path of its key.
        verify: False leaves the server's certificate unchecked.
        server_name: The name the server's certificate must have, if not its address's.
        proxy: The URL of the proxy to go through, or empty.
    """

    server: str
    authorization: str = field(default="", repr=False)
    ca: str = field(default="", repr=False)
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""

    @property
    def host(self) -> str:
        """Host and port, as metrics label them."""
        return urlsplit(self.server).netloc

    def tls(self) -> ssl.SSLContext | None:
        """Build the TLS context; there is none for a server that speaks plain HTTP.

        Reads files and takes tens of milliseconds: call it in a thread.
        """
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca or None)
        # Many a cluster's CA predates the extensions that Python 3.13 insists on; client-go
        # does not ask for them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.client_certificate:
            context.load_cert_chain(self.client_certificate, self.client_key or None)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def in_pod(directory: Path = SERVICE_ACCOUNT) -> bool:
    """Tell whether this process runs in a pod that has a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (directory / "token").is_file()


def pod_access(directory: Path = SERVICE_ACCOUNT) -> Access:
    """Read the access of this pod's service account; blocks for small files.

    Raises:
        SettingsError: The files are not there, or the token is empty.
    """
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        token = (directory / "token").read_text().strip()
        ca = (directory / "ca.crt").read_text()
    except OSError as error:
        raise SettingsError(
            f"the service account of this pod cannot be read ({error}): set "
            "automountServiceAccountToken to true, or name a kubeconfig"
        ) from error
    if not token:
        raise SettingsError(f"the service account's token, {directory / 'token'}, is empty")
    return Access(server, f"Bearer {token}", ca, proxy=proxy_for(server))


def proxy_for(server: str) -> str:
    """Return the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for a server, or empty.

    Asked when the access is read: to look into the environment for each request would cost more
    than the request itself.
    """
    parts = urlsplit(server)
    if urllib.request.proxy_bypass(parts.netloc):
        return ""
    return urllib.request.getproxies().get(parts.scheme, "")

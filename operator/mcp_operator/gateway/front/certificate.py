"""The certificate of the MCP port, reloaded when its files change."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Hashable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mcp_operator.core.clock import Clock, SystemClock, rfc3339
from mcp_operator.core.errors import OperatorError

log = logging.getLogger(__name__)

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
"""The keys of a Secret of type kubernetes.io/tls, which a volume mounts as files."""

CHECK_SECONDS: Final = 10.0
"""How often the files are checked; the kubelet updates a changed Secret within about 90 s."""

EXPIRING_SECONDS: Final = 7 * 86400.0
"""How long before its end a certificate is reported, as by MCPGatewayCertificateExpiring."""


class CertificateError(OperatorError):
    """The certificate cannot be used; the message names the folder."""


class Certificate:
    """Certificate and key of one folder.

    Attributes:
        context: The TLS context for new connections. Each new certificate gets a new context, so
            that no handshake sees a half-loaded one.
        expires: When the certificate expires, in Unix seconds.
    """

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        """Read the files; blocks.

        Args:
            folder: The folder with the files.
            clock: Tells how long the certificate is still valid; by default, the system clock.

        Raises:
            CertificateError: The files are missing, or do not belong together.
        """
        self._folder = folder
        self._clock = clock or SystemClock()
        self._seen = self._look()
        self.context, self.expires = self._read()
        self._reported: tuple[float, bool] | None = None
        self._report()

    async def follow(self) -> None:
        """Load each new certificate; if it cannot be used, the last one stays in use."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await asyncio.to_thread(self._renew)
            self._report()

    def _report(self) -> None:
        """Log once for each certificate that it expires soon, and once that it has expired."""
        left = self.expires - self._clock.now().timestamp()
        state = (self.expires, left > 0)
        if left >= EXPIRING_SECONDS or state == self._reported:
            return
        self._reported = state
        end = rfc3339(datetime.fromtimestamp(self.expires, UTC))
        log.warning(
            "The certificate expires within a week" if left > 0 else "The certificate has expired",
            extra={"file": str(self._folder / CERTIFICATE), "expires": end},
        )

    def _renew(self) -> None:
        now = self._look()
        if now == self._seen:
            return
        try:
            self.context, self.expires = self._read()
        except CertificateError as error:
            log.warning("The new certificate cannot be used", extra={"error": str(error)})
        else:
            log.info("A new certificate is in use")
        self._seen = now

    def _read(self) -> tuple[ssl.SSLContext, float]:
        # Imported only here: the library takes memory, and most gateways have no certificate.
        from cryptography import x509  # noqa: PLC0415

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
            # The chain begins with the server's own certificate (RFC 8446, section 4.4.2).
            own = x509.load_pem_x509_certificates((self._folder / CERTIFICATE).read_bytes())[0]
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            known = getattr(error, "reason", None) or getattr(error, "strerror", None)
            raise CertificateError(
                f"cannot use {CERTIFICATE} and {KEY} in {self._folder}: {known or 'unreadable'}"
            ) from error
        return context, own.not_valid_after_utc.timestamp()

    def _look(self) -> Hashable:
        try:
            states = [(self._folder / name).stat() for name in (CERTIFICATE, KEY)]
        except OSError:
            return None
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in states)

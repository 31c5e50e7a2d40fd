"""Loopback ports and plain requests for test servers."""

import itertools
import os
import socket

_FIRST, _COUNT = 20_000, 10_000
"""Ports below those that the kernel uses for outgoing connections."""

_own = os.getpid() * 997 % _COUNT
"""The offset keeps the ports of several test processes apart."""
_PORTS = itertools.cycle(_FIRST + (_own + number) % _COUNT for number in range(_COUNT))


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nothing listens on, and that is not returned again for a long time."""
    return next(port for port in _PORTS if _is_free(host, port))


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True

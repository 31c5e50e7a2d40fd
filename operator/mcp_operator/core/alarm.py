"""An end of the process that the kernel sees to, however busy, hung or frozen the process is."""

from __future__ import annotations

import ctypes
import signal
from concurrent.futures import ThreadPoolExecutor

_libc = ctypes.CDLL(None)
_libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
_libc.signal.restype = ctypes.c_void_p

_AT_ONCE = 1e-6
"""Seconds; a timer of 0 would be none (setitimer(2))."""


def end_process_in(seconds: float | None) -> None:
    """Have the process end in so many seconds with the exit code 14, or never.

    Each call replaces the one before. A process that is frozen then ends when it is thawed, before
    it executes anything: what is pending is delivered first (signal(7), SIGALRM).

    The handler is the C library's `_exit`, which takes the number of the signal for its code.
    Python's handlers run between two of its instructions, so after a system call that has begun;
    and the default action is denied to process 1 of a container (pid_namespaces(7)).
    """
    _libc.signal(signal.SIGALRM, ctypes.cast(_libc["_exit"], ctypes.c_void_p))
    signal.setitimer(signal.ITIMER_REAL, 0 if seconds is None else max(seconds, _AT_ONCE))


def helping_threads() -> ThreadPoolExecutor:
    """Return threads that leave the alarm to the main one.

    If one of them took it, the main one could go on until that has ended the process.
    """
    return ThreadPoolExecutor(
        thread_name_prefix="helper",
        initializer=signal.pthread_sigmask,
        initargs=(signal.SIG_BLOCK, (signal.SIGALRM,)),
    )

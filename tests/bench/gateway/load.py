"""Load by wrk, nginx as the backend, and the processor time of a server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from bench.gateway.files import ORDER
from support.network import free_port
from support.processes import Child, ProcessGroup

SERVER_CORE, LOAD_CORE = 0, 1
"""The server has a core to itself; wrk and nginx share the other."""

CONNECTIONS = 32

_COMMANDS = {"wrk": "wrk", "nginx": "nginx-light", "taskset": "util-linux"}
"""Required commands on PATH, and the Debian package of each."""

_NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}
}}
"""

_DONE = """
done = function(summary, latency)
  local e = summary.errors
  print(string.format(
    "RESULT %d %.6f %d %.3f %.3f", summary.requests, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""

_RESULT = re.compile(r"^RESULT (\S+) (\S+) (\S+) (\S+) (\S+)$", re.MULTILINE)


class LoadError(Exception):
    """The load could not run, or had unexpected responses."""


@dataclass(frozen=True)
class Request:
    """A request that is sent repeatedly, and a text in its expected response."""

    headers: dict[str, str]
    body: str
    expected: str


@dataclass(frozen=True)
class Round:
    """The figures of one round of load.

    Attributes:
        cpu_us: Processor time of the server per request, in µs.
        per_second: Answered requests per second.
        p50_ms: Median of the latencies.
        p99_ms: Their 99th percentile.
    """

    cpu_us: float
    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass
class Target:
    """A server under load.

    Attributes:
        child: Its process.
        port: Its port.
        rounds: The figures of the rounds so far, by method.
        rss_mb: Its resident memory after the last round.
    """

    child: Child
    port: int
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    rss_mb: float = 0.0


def missing() -> list[str]:
    """Return a message for each missing command."""
    return [
        f"there is no {command} on PATH: install the package {package}"
        for command, package in _COMMANDS.items()
        if shutil.which(command) is None
    ]


def pinned(core: int, command: Sequence[str | Path]) -> list[str | Path]:
    """Return the command that runs another on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


def start_backend(processes: ProcessGroup) -> int:
    """Start nginx, which responds to every request with the same order; return its port."""
    port, folder = free_port(), processes.directory
    configuration = folder / "nginx.conf"
    text = _NGINX.format(folder=folder, port=port, body=json.dumps(ORDER))
    configuration.write_text(text, encoding="utf-8")
    processes.start("nginx", pinned(LOAD_CORE, ["nginx", "-p", folder, "-c", configuration]))
    return port


def ask(port: int, request: Request) -> tuple[int, str]:
    """Send a request once; return the status and the body.

    Raises:
        OSError: Nothing listens there.
    """
    connection = HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/mcp", request.body, request.headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def check(target: Target, request: Request) -> None:
    """Send a request once, and check the response.

    Raises:
        LoadError: The response is not the expected one.
    """
    target.child.check()
    status, body = ask(target.port, request)
    if status != 200 or request.expected not in body:
        raise LoadError(f"{target.child.name} answers {status} with {body[:300]}")


def load(target: Target, name: str, request: Request, seconds: float, folder: Path) -> None:
    """Load a server for one round, and record the figures.

    Args:
        target: The server.
        name: The name of the request.
        request: The request.
        seconds: The duration in whole seconds.
        folder: Takes the script for wrk.

    Raises:
        LoadError: Not every request had the expected response.
    """
    check(target, request)
    before = target.child.cpu_seconds()
    answered, took, errors, p50, p99 = _wrk(target.port, request, seconds, folder)
    cpu = target.child.cpu_seconds() - before
    check(target, request)
    if errors or not answered:
        raise LoadError(f"{target.child.name}: {errors:.0f} of {answered:.0f} requests have failed")
    shown = Round(cpu / answered * 1e6, answered / took, p50, p99)
    target.rounds.setdefault(name, []).append(shown)


def _wrk(port: int, request: Request, seconds: float, folder: Path) -> tuple[float, ...]:
    script = folder / "load.lua"
    headers = "\n".join(
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}"
        for name, value in request.headers.items()
    )
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = {json.dumps(request.body)}\n{headers}\n{_DONE}',
        encoding="utf-8",
    )
    options = ("-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", script)
    command = pinned(LOAD_CORE, ["wrk", *options, f"http://127.0.0.1:{port}/mcp"])
    done = subprocess.run(  # noqa: S603 - a program of the benchmark
        command, capture_output=True, text=True, check=False
    )
    found = _RESULT.search(done.stdout)
    if found is None:
        raise LoadError(f"the output of wrk is {done.stdout}{done.stderr}")
    return tuple(map(float, found.groups()))

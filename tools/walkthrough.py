"""Run the commands of the README and of two pages, one after the other, as a new user does.

    python3 tools/walkthrough.py                        # in a clean clone
    python3 tools/walkthrough.py --command mcp-operator # with a command that is installed already

It uses only the pages. A YAML block whose first line is `# NAME.yaml` is saved as that file. Each
command of a console block runs with bash in the clone, and its output must match what the page
shows below it, with `...` for any text. The tables below contain what a person would know: which
commands run in the foreground, and which need something that is not available here.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import contextlib
import doctest
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]

PAGES: Final = (
    "README.md",
    "docs/how-to/serve-your-own-service.md",
    "docs/tutorials/rest-api.md",
)

INSTALLED: Final = ".venv/bin/mcp-operator"
"""The path of the command that the pages install."""

STAYING: Final = {
    f"{INSTALLED} serve": 8080,
    "python3 -m http.server": 9000,
    "python3 examples/library/service.py": 9000,
}
"""The start of commands that run until Ctrl-C, and the port that they then listen on."""

RELEASED: Final = (
    "needs a published release; tests/unit/test_readme.py compares it with what one has"
)

ELSEWHERE: Final = {
    "kubectl": "needs a cluster; tests/manifests and e2e run what the guides show",
    "helm": "needs a cluster; tests/chart and e2e run it",
    "uvx": RELEASED,
    "pipx": RELEASED,
    "docker": RELEASED,
    "make test": "is the test suite, which has a job of its own in CI",
}
"""The start of commands that are not run, and why."""

INSTALLING: Final = ("python3 -m venv", ".venv/bin/pip", "make ")
"""The start of commands that are not needed if the command is already installed."""

START_SECONDS: Final = 60.0
RUN_SECONDS: Final = 1800.0
"""Timeouts for commands that hang. `make demo` is slow if it has to build an API server first."""

TELLING_SECONDS: Final = 2.0
"""The duration of a command from which on it is printed."""

_BLOCK: Final = re.compile(r"^```(console|yaml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NAMED: Final = re.compile(r"# ([\w-]+\.yaml)\n")
_POLL_SECONDS: Final = 0.05


class WalkthroughError(Exception):
    """A command of a page fails or has other output; the text has the command and its output."""


@dataclass(frozen=True, slots=True)
class Save:
    """A block to save as a file."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run, and the output that the page shows below it."""

    text: str
    shown: str = ""

    @property
    def reason(self) -> str:
        """Why the command is not run; empty if it is."""
        return next((why for start, why in ELSEWHERE.items() if self.text.startswith(start)), "")

    @property
    def port(self) -> int | None:
        """The port that it listens on until Ctrl-C; None if it ends by itself."""
        return next((port for start, port in STAYING.items() if self.text.startswith(start)), None)


def steps(page: str) -> Iterator[Save | Command]:
    """Yield the steps of a page, in order."""
    for language, text in _BLOCK.findall(page):
        named = _NAMED.match(text)
        if language == "console":
            yield from _commands(text.splitlines())
        elif named:
            yield Save(named[1], text)


def _commands(lines: Sequence[str]) -> Iterator[Command]:
    command: list[str] = []
    shown: list[str] = []
    for line in lines:
        if command and not _complete("\n".join(command)):
            command.append(line)
        elif not line.startswith("$ "):
            shown.append(line)
        else:
            if command:
                yield Command("\n".join(command), "\n".join(shown))
            command, shown = [line[2:]], []
    if command:
        yield Command("\n".join(command), "\n".join(shown))


def _complete(text: str) -> bool:
    """Return whether a shell would run a text, instead of waiting for more lines."""
    try:
        shlex.split(text, comments=True)
    except ValueError:  # a quotation is open
        return False
    return not text.endswith("\\")


class Walk:
    """Runs the steps of pages in one folder. Commands in the foreground get their own terminal."""

    def __init__(self, folder: Path, installed: str = "") -> None:
        """Set up, without running anything.

        Args:
            folder: The clone.
            installed: A command to use instead of the one that the pages install.
        """
        self._folder = folder
        self._installed = installed
        self._staying: dict[int, _Staying] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as stack:
            for port in tuple(self._staying):
                stack.callback(self._interrupt, port)

    def do(self, step: Save | Command) -> None:
        """Run a step.

        Raises:
            WalkthroughError: It fails, or its output differs from the page.
        """
        if isinstance(step, Save):
            _say(f"# saved as {step.name}")
            (self._folder / step.name).write_text(step.text, encoding="utf-8")
            return
        _say(f"$ {step.text}")
        if step.reason:
            _say(f"# not run: it {step.reason}")
        elif self._installed and step.text.startswith(INSTALLING):
            _say(f"# not run: {self._installed} is installed")
        elif step.port is not None:
            self._stay(step, step.port)
        else:
            self._run(step)

    def _bash(self, command: Command) -> list[str]:
        text = command.text
        if self._installed:
            text = text.replace(INSTALLED, shlex.quote(self._installed))
        return ["bash", "-c", text]

    def _run(self, command: Command) -> None:
        done = subprocess.run(  # noqa: S603 - the pages' own commands
            self._bash(command),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        if done.returncode:
            raise WalkthroughError(
                f"{command.text}\nended with code {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        said = done.stdout or done.stderr
        if command.shown and not _alike(command.shown, said):
            raise WalkthroughError(
                f"{command.text}\nshould have said:\n{command.shown}\nand said:\n{said}"
            )
        _say(said.rstrip())

    def _stay(self, command: Command, port: int) -> None:
        """Start a command, after stopping the previous one on the same port with Ctrl-C.

        Raises:
            WalkthroughError: It ended, or another program uses the port.
        """
        if port in self._staying:
            self._interrupt(port)
        if _answers(port):
            raise WalkthroughError(f"port {port} is taken by another program; end it first")
        self._staying[port] = staying = _Staying(command.text, self._bash(command), self._folder)
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if staying.process.poll() is not None or time.monotonic() > deadline:
                raise WalkthroughError(
                    f"{command.text}\ndoes not listen on {port}:\n{staying.said}"
                )
            time.sleep(_POLL_SECONDS)
        _say(f"# listens on {port}")

    def _interrupt(self, port: int) -> None:
        """Send Ctrl-C, and check that the command ends without a traceback.

        Raises:
            WalkthroughError: It does not end, or has a traceback.
        """
        self._staying.pop(port).interrupt()


class _Staying:
    """A command in its own session, so that Ctrl-C reaches all its processes."""

    def __init__(self, shown: str, command: Sequence[str], folder: Path) -> None:
        self._shown = shown
        self._output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed later
        self.process = subprocess.Popen(  # noqa: S603 - the pages' own commands
            command,
            cwd=folder,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def said(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def interrupt(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.process.pid, signal.SIGINT)
        with self._output:
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                text = f"{self._shown}\ngoes on after Ctrl-C:\n{self.said}"
                raise WalkthroughError(text) from None
            if "Traceback" in self.said:
                raise WalkthroughError(f"{self._shown}\nends with a traceback:\n{self.said}")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _alike(shown: str, said: str) -> bool:
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown.strip() + "\n", said.strip() + "\n", options)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Walk through the pages. Return 1 if one of them does not do what it shows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--command", default="", help="mcp-operator, where it is installed already")
    arguments = parser.parse_args()
    total = 0.0
    try:
        for page in PAGES:
            _say(f"\n## {page}\n")
            text = (ROOT / page).read_text(encoding="utf-8")
            with Walk(ROOT, arguments.command) as walk:
                for step in steps(text):
                    began = time.monotonic()
                    walk.do(step)
                    took = time.monotonic() - began
                    total += took
                    if took > TELLING_SECONDS:
                        _say(f"# took {took:.0f} s; {total / 60:.1f} min since the beginning")
    except WalkthroughError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    _say(f"\nEverything that the pages show is true. All of it took {total / 60:.1f} min.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

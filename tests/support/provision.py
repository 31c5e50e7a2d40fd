"""Finds, downloads or builds the binaries of the control plane.

The first that works of: the folder in KUBEBUILDER_ASSETS, an earlier build or download in the
cache, a download of published binaries, and a build of ``tests/controlplane`` with Go.
"""

import contextlib
import fcntl
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support import download, gobuild

Report = Callable[[str], None]
"""Shows one line of progress to the user."""


class UnavailableError(Exception):
    """No control plane is available on this machine; the text says why and what to do."""


@dataclass(frozen=True)
class Binaries:
    """The commands that start the components, without their flags.

    Attributes:
        controller_manager: None if only the two binaries of envtest are available.
    """

    etcd: tuple[str, ...]
    api_server: tuple[str, ...]
    controller_manager: tuple[str, ...] | None

    @classmethod
    def in_folder(cls, folder: Path) -> "Binaries | None":
        """The binaries in a folder with the layout of envtest, if it has them."""
        etcd, server = folder / "etcd", folder / "kube-apiserver"
        manager = folder / "kube-controller-manager"
        if not (etcd.is_file() and server.is_file()):
            return None
        return cls((str(etcd),), (str(server),), (str(manager),) if manager.is_file() else None)

    @classmethod
    def in_one(cls, binary: Path) -> "Binaries":
        """The components of the multi-call binary of ``tests/controlplane``."""
        names = ("etcd", "kube-apiserver", "kube-controller-manager")
        return cls(*((str(binary), name) for name in names))


def find_binaries(report: Report, *, quick: bool = False) -> Binaries:
    """Returns binaries; downloads or builds them if there are none yet.

    Args:
        report: Takes lines of progress.
        quick: Whether a necessary build should be the quickest. Later runs use its result, too.

    Raises:
        UnavailableError: they are not available on this machine.
    """
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        if found := Binaries.in_folder(Path(assets)):
            return found
        raise UnavailableError(
            f"KUBEBUILDER_ASSETS is {assets}, which does not hold etcd and kube-apiserver; "
            "correct it or unset it"
        )
    ordinary, quickly = (
        cache_folder() / gobuild.cache_name(gobuild.CONTROL_PLANE, _platform(), quick=each)
        for each in (False, True)
    )
    downloaded = cache_folder() / download.cache_name(_platform())
    with locked("lock"):
        for built in (ordinary, quickly):
            if built.is_file():
                return Binaries.in_one(built)
        partial = Binaries.in_folder(downloaded)
        if partial and partial.controller_manager:
            return partial
        return _acquire(quickly if quick else ordinary, downloaded, report, quick=quick)


def _acquire(built: Path, downloaded: Path, report: Report, *, quick: bool) -> Binaries:
    reasons = []
    try:
        download.fetch(_platform(), downloaded, report)
    except download.DownloadError as error:
        reasons.append(str(error))
        report(f"Skipped: {error}.")
    found = Binaries.in_folder(downloaded)
    if found and found.controller_manager:
        return found
    try:
        gobuild.build(gobuild.CONTROL_PLANE, built, report, quick=quick)
    except gobuild.BuildError as error:
        reasons.append(str(error))
    else:
        return Binaries.in_one(built)
    if found:
        report("No kube-controller-manager: what needs garbage collection or Pods cannot run.")
        return found
    raise UnavailableError(
        f"There is no Kubernetes API server here ({'; '.join(reasons)}); three ways out: name a "
        "cluster's kubeconfig in MCP_OPERATOR_TEST_KUBECONFIG, name a folder with etcd, "
        "kube-apiserver and kube-controller-manager in KUBEBUILDER_ASSETS, or install Go "
        f"{gobuild.go_version(gobuild.CONTROL_PLANE)} or newer"
    )


def find_judge(report: Report) -> Path:
    """Returns the program of ``tests/gitops``, and builds it if it does not exist.

    Raises:
        UnavailableError: it cannot be built on this machine.
    """
    return _find_built(gobuild.JUDGE, report)


def find_go_client(report: Report) -> Path:
    """Returns the program of ``tests/goclient``, and builds it if it does not exist.

    Raises:
        UnavailableError: it cannot be built on this machine.
    """
    return _find_built(gobuild.CLIENT, report)


def _find_built(program: gobuild.Program, report: Report) -> Path:
    built = cache_folder() / gobuild.cache_name(program, _platform())
    with locked(
        f"{program.name}.lock"
    ):  # so that processes that need only a control plane do not wait
        if not built.is_file():
            try:
                gobuild.build(program, built, report)
            except gobuild.BuildError as error:
                problem = f"tests/{program.name} cannot be built here: {error}"
                raise UnavailableError(problem) from error
    return built


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/mcp-operator``, by default ``~/.cache/mcp-operator``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "mcp-operator"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _platform() -> str:
    """The operating system and architecture as Go names them, such as ``linux-amd64``."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{architecture}"


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Locks the cache, so that only one process at a time fills it."""
    with (cache_folder() / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

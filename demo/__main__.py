"""The main task, live: `make demo`.

It starts a Kubernetes API server, runs the operator against it, applies ``manifests/samples``, and
uses the result with the official MCP client. Without an API server, it serves the same samples from
files. The exit code is 0 only if everything worked as shown. KEEP=1 leaves it running. PACE=1 is
for an audience: the demo pauses, explains, and shows the YAML and the answers.

`make demo-ops`, which passes `drills`, causes faults instead, and shows how to see them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path

from mcp import Client

from cluster_environment import SERVER, ClusterEnvironment
from drill_environment import DrillEnvironment
from drills import Drills
from environment import READY_TIMEOUT, Environment, FileEnvironment, Processes
from narrator import WIDTH, Narrator, PaceError, pace
from story import show
from support.controlplane import Cluster, ControlPlane, start_cluster
from support.promtool import promtool
from support.provision import UnavailableError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the demo and return its exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        narrator = Narrator(pace())
    except PaceError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    cluster = None
    try:
        cluster = _api_server(narrator)
        asyncio.run(_play(cluster, narrator))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nInterrupted.")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the user reads this, with the logs above it
        traceback.print_exc()
        print(f"\nThe demo failed: {type(error).__name__}: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        if cluster:
            cluster.stop()
    print(f"\nAll of it took {narrator.seconds:.0f} s. Everything was cleaned up.")
    return 0


async def _play(cluster: Cluster | None, narrator: Narrator) -> None:
    if "drills" in sys.argv[1:]:
        await _drills(cluster, narrator)
    elif cluster:
        await _in_cluster(cluster, narrator)
    else:
        await _from_files(narrator)


def _api_server(narrator: Narrator) -> Cluster | None:
    with narrator.step(
        "A Kubernetes API server", "A real one: TLS, RBAC, garbage collection, Deployments."
    ):
        try:
            return start_cluster(narrator.say, quick=True)
        except UnavailableError as error:
            narrator.say(textwrap.fill(f"{error}.", WIDTH))
            narrator.say("The same samples are served from files instead.")
            return None


async def _in_cluster(cluster: Cluster, narrator: Narrator) -> None:
    async with Processes() as processes, ClusterEnvironment(cluster, processes) as environment:
        with _logs_on_failure(processes):
            await _set_up(environment, narrator)
            await show(environment, narrator)
            async with narrator.scene(
                "kubectl get mcps,mcpt,mcpp,mcpr", "The tables are the API server's own."
            ):
                narrator.say(await environment.tables())
        if os.environ.get("KEEP"):
            print(
                f"\nIt stays up until Ctrl-C. kubectl, in another terminal:\n"
                f"\n    export KUBECONFIG={cluster.kubeconfig}"
                f"\n    kubectl --namespace {environment.namespace} get mcps,mcpt,mcpp,mcpr"
                f"\n    kubectl --namespace {environment.namespace} edit mcpserver {SERVER}"
            )
            await _stay_up(environment)


async def _drills(cluster: Cluster | None, narrator: Narrator) -> None:
    if not (isinstance(cluster, ControlPlane) and cluster.has_controllers):
        raise UnavailableError(
            "what is broken here needs a control plane of the demo's own: unset "
            "MCP_OPERATOR_TEST_KUBECONFIG, and see above what else is missing"
        )
    async with Processes() as processes, DrillEnvironment(cluster, processes) as environment:
        with _logs_on_failure(processes):
            await _set_up(environment, narrator)
            async with Client(environment.url, read_timeout_seconds=READY_TIMEOUT) as client:
                await Drills(environment, narrator, client, _promtool(narrator)).run()


@contextlib.contextmanager
def _logs_on_failure(processes: Processes) -> Iterator[None]:
    """Print what the processes have logged if the body fails."""
    try:
        yield
    except Exception:
        print(processes.logs(), file=sys.stderr)
        raise


def _promtool(narrator: Narrator) -> Path | None:
    try:
        return promtool()
    except UnavailableError as error:
        narrator.say(f"The alerts are named and not evaluated: {error}.")
        return None


async def _set_up(environment: ClusterEnvironment, narrator: Narrator) -> None:
    async with narrator.scene(
        "The CRDs are installed",
        "Four of them, with validation by the API server itself.",
        "They are the whole API: a server, and the tools, prompts and resources that it serves.",
    ):
        narrator.say(", ".join(await environment.install_crds()))
    async with narrator.scene(
        "The operator starts",
        "It waits for its caches, then it is ready.",
        "It is one Deployment in a cluster of yours. Here it is a process, with the code of this "
        "checkout. From now on it watches what is declared, and makes it so.",
    ):
        await environment.start_operator()
    async with narrator.scene(
        "manifests/samples is applied",
        "A server, tools, prompts, resources, a backend.",
        "The backend is a plain REST API that knows nothing of MCP. This tool makes one of its "
        "paths callable, and the server serves all tools that have its label:",
    ):
        narrator.show(*environment.shown())
        narrator.say("\n".join(await environment.apply_samples()))
    async with narrator.scene(
        "The gateway runs",
        "Ready says: the gateway itself confirmed this very catalog.",
        "The operator has compiled the tools into a catalog and made a Deployment, a Service, a "
        "disruption budget, and a Role that may read nothing but what this server needs.",
    ):
        narrator.say(await environment.start_gateway())


async def _from_files(narrator: Narrator) -> None:
    async with Processes() as processes:
        environment = FileEnvironment(processes)
        with _logs_on_failure(processes):
            async with narrator.scene(
                "mcp-operator serve", "The same YAML without a cluster, reloaded when it changes."
            ):
                await environment.start()
            await show(environment, narrator)
        if os.environ.get("KEEP"):
            print("\nIt stays up until Ctrl-C.")
            await _stay_up(environment)


async def _stay_up(environment: Environment) -> None:
    print(
        f"\nAn MCP client, for instance:\n"
        f"\n    claude mcp add --transport http shop {environment.url}"
        f"\n    npx @modelcontextprotocol/inspector {environment.url}",
        flush=True,
    )
    with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C is the intended way to end this
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())

"""Everything that is done to this repository, one command each: `nox -l` lists them.

`nox` alone runs what a change must pass before it is pushed: lint, types, imports and unit.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "none"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "imports", "unit"]

ROOT = Path(__file__).parent
LOCKS = ROOT / "requirements"
CLIENTS = ("client-fastmcp", "client-langchain", "client-openai", "client-pydantic")
"""Groups of one MCP client each, in the order in which they are listed."""

STANDALONE = ("bootstrap", "build", *CLIENTS, "lint", "mcp1", "scan", "workflows")
"""Groups whose environments do without the package and its dependencies."""

GROUPS = (*STANDALONE, "chart", "dev", "fuzz", "test", "types")
"""Dependency groups with a lock of their own; `runtime` is the lock of the package's own needs."""

CONTRACT = ROOT / "tests" / "contract"

GITHUB_SCHEMAS = {
    "github-workflows": "workflows/*.yml",
    "dependabot": "dependabot.yml",
    "github-issue-config": "ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": "ISSUE_TEMPLATE/[0-9]*.yml",
}
"""Schemas that come with check-jsonschema, and the files of .github that they describe."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and spelling with ruff and codespell (`-- --fix` repairs)."""
    bin_ = environment(session, "lint")
    fix = "--fix" in session.posargs
    session.run(bin_ / "ruff", "check", *(["--fix"] if fix else []), ".")
    session.run(bin_ / "ruff", "format", *([] if fix else ["--check"]), ".")
    session.run(bin_ / "codespell", *(["--write-changes"] if fix else []))


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly with mypy, in the package, the tests and this file."""
    session.run(environment(session, "types") / "mypy", *session.posargs)


@nox.session
def imports(session: nox.Session) -> None:
    """Check with import-linter that the layers hold."""
    session.run(
        environment(session, "lint") / "lint-imports", env={"PYTHONPATH": str(ROOT / "operator")}
    )


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests: fast, and without servers but on loopback."""
    pytest(session, "tests/unit")


@nox.session(default=False)
def integration(session: nox.Session) -> None:
    """Run the tests against a real Kubernetes API server."""
    pytest(session, "tests/integration")


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Run the operator behind a failing network (all of it with MCP_OPERATOR_WALKS=1000)."""
    pytest(session, "tests/faults")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Break each promise of the runtime and see its test notice (`-- 5 31`: of those rows)."""
    python(session, "tests/mutants", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Look for inputs that break a promise (`-- TARGET --seconds 600`; `-- --help` lists all)."""
    python(session, "tests/fuzz", *session.posargs, group="fuzz")


@nox.session(default=False)
def contract(session: nox.Session) -> None:
    """Run the tests with the official MCP clients."""
    pytest(session, "tests/contract", env=official_clients(session))


@nox.session(default=False)
def clients(session: nox.Session) -> None:
    """Let the MCP clients of others read every kind of answer; no model is called."""
    env = {}
    for group in CLIENTS:
        variable = f"MCP_OPERATOR_{group.replace('-', '_').upper()}"
        env[variable] = str(environment(session, group) / "python")
    pytest(session, "tests/clients", env=env)


@nox.session(default=False)
def test(session: nox.Session) -> None:
    """Run the unit, integration, contract and fault tests; fail below the required coverage.

    Two processes share the files, each with a control plane of its own. The tests with faults run
    whole operators and wait for them: measuring coverage would only make them slower.
    """
    one_cluster = os.environ.get("MCP_OPERATOR_TEST_KUBECONFIG")
    shared = [] if one_cluster else ["-n2", "--dist=loadfile", "--no-loadscope-reorder"]
    clients = official_clients(session)
    measured = ("tests/integration", "tests/contract", "tests/unit")
    pytest(session, *measured, "--cov", "--cov-report=term", *shared, env=clients)
    if all(argument.startswith("-") for argument in session.posargs):  # no folders were given
        pytest(session, "tests/faults", *shared)


@nox.session(default=False)
def generate(session: nox.Session) -> None:
    """Write the files that are generated from the models (`-- --check` only compares)."""
    session.run(environment(session, "test") / "python", "tools/generate.py", *session.posargs)


@nox.session(name="import", default=False)
def import_(session: nox.Session) -> None:
    """Import whole OpenAPI documents, and have an API server and Prism judge (`-- FILES`)."""
    clients = official_clients(session)
    python(session, "tools/import_figures.py", "--judge", *session.posargs, env=clients)


@nox.session(default=False)
def locks(session: nox.Session) -> None:
    """Pin all dependencies with hashes (`-- --check` compares, `-- --upgrade` takes newer ones).

    Existing pins stay as long as they satisfy pyproject.toml, so that a release somewhere in the
    world does not make the check fail. No index address is written: any mirror will do.
    """
    check = "--check" in session.posargs
    upgrade = ["--upgrade"] if "--upgrade" in session.posargs else []
    uv = environment(session, "bootstrap", name="locks") / "uv"
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("runtime", *GROUPS):
            lock, made = LOCKS / f"{name}.txt", Path(scratch, f"{name}.txt")
            if lock.exists():
                shutil.copy(lock, made)
            session.run(uv, *compile_arguments(name), *upgrade, "--output-file", made)
            if not check:
                shutil.copy(made, lock)
            elif not lock.exists() or not filecmp.cmp(made, lock, shallow=False):
                session.error(f"{lock.relative_to(ROOT)} is out of date; run: nox -s locks")


@nox.session(default=False)
def workflows(session: nox.Session) -> None:
    """Check .github with JSON schemas, zizmor and actionlint, the Containerfile with hadolint."""
    bin_ = environment(session, "workflows")
    for schema, pattern in GITHUB_SCHEMAS.items():
        files = sorted((ROOT / ".github").glob(pattern))
        session.run(bin_ / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    session.run(bin_ / "zizmor", "--offline", "--quiet", "--persona=pedantic", ROOT / ".github")
    session.run(bin_ / "hadolint", ROOT / "Containerfile")
    go = shutil.which("go")
    if go is None:
        session.error("there is no go command on PATH: actionlint is built with it")
    actionlint = ROOT / ".nox" / "actionlint"
    with session.chdir(ROOT / "tools" / "actionlint"):
        command = "github.com/rhysd/actionlint/cmd/actionlint"
        session.run(go, "build", "-o", actionlint, command, env={"GOFLAGS": "-mod=readonly"})
    # Shell and Python linters that happen to be on PATH would find other things on each machine.
    session.run(actionlint, "-shellcheck=", "-pyflakes=")


@nox.session(default=False)
def resolution(session: nox.Session) -> None:
    """Run the unit tests with the `oldest` or the `newest` dependencies that are allowed."""
    which = session.posargs[0] if session.posargs else ""
    if which not in ("oldest", "newest"):
        session.error("name one: nox -s resolution -- oldest, or: nox -s resolution -- newest")
    uv = environment(session, "bootstrap", name="locks") / "uv"
    folder = ROOT / ".nox" / which
    choice = "lowest-direct" if which == "oldest" else "highest"
    install = (uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python")
    session.run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    session.run(*install, "--resolution", choice, "--editable", ROOT)
    session.run(*install, "--group", "test")  # leaves in place what the package needs
    session.run(folder / "bin" / "pytest", "tests/unit", *session.posargs[1:])


@nox.session(default=False)
def manifests(session: nox.Session) -> None:
    """Write dist/install.yaml; hold all kustomizations to schemas, checkov, an API server."""
    python(session, "tools/install_manifest.py")
    pytest(session, "tests/manifests", env={"MCP_OPERATOR_SCAN": str(environment(session, "scan"))})


@nox.session(default=False)
def chart(session: nox.Session) -> None:
    """Lint the Helm chart and test what Helm 3 and Helm 4 make of it."""
    env = {"MCP_OPERATOR_SCAN": str(environment(session, "scan")), **oldest_helm(session)}
    pytest(session, "tests/chart", env=env, group="chart")


@nox.session(default=False)
def image(session: nox.Session) -> None:
    """Build and check the image with docker, podman or buildah (`-- --help` lists options)."""
    session.run(sys.executable, "tools/image.py", *session.posargs)


@nox.session(default=False)
def e2e(session: nox.Session) -> None:
    """Test with real pods, on the cluster of E2E_KUBECONFIG, else on one that kind makes.

    The image is built and given to the nodes by the command E2E_LOAD, in which {image} and
    {archive} are filled in; with E2E_IMAGE set nothing is built. See e2e/README.md.
    """
    python(session, "tools/install_manifest.py")
    env = {}
    if "E2E_IMAGE" not in os.environ:
        archive = ROOT / "dist" / "image.tar"
        session.run(sys.executable, "tools/image.py", "--archive", archive)
        env["E2E_ARCHIVE"] = str(archive)
    group = "test" if shutil.which("helm") else "chart"  # which has Helm as a library
    if os.environ.get("E2E_KUBECONFIG"):
        pytest(session, "e2e", env=env, group=group)
        return
    if not shutil.which("kind"):
        session.error("there is no cluster: set E2E_KUBECONFIG, or install kind and Docker")
    name, kubeconfig = "mcp-operator-e2e", Path(session.create_tmp(), "kubeconfig")
    session.run("kind", "create", "cluster", *("--name", name, "--kubeconfig", kubeconfig))
    try:
        env["E2E_KUBECONFIG"] = str(kubeconfig)
        env.setdefault("E2E_LOAD", f"kind load image-archive {{archive}} --name {name}")
        pytest(session, "e2e", env=env, group=group)
    finally:
        session.run("kind", "delete", "cluster", "--name", name)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Show the main job end to end on a real API server (KEEP=1 leaves it running)."""
    python(session, "demo", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure propagation, cold start, scale, failover; compare with the baseline (`-- --help`)."""
    python(session, "tests/bench", *session.posargs)


@nox.session(name="bench-gateway", default=False)
def bench_gateway(session: nox.Session) -> None:
    """Measure what a request costs the gateway, beside others, by wrk and nginx (`-- --help`)."""
    python(session, "tests/bench/gateway", *session.posargs)


@nox.session(default=False)
def load(session: nox.Session) -> None:
    """Put gateways under load: overload, silence, reloads, stops, a soak (`-- --help`)."""
    python(session, "tests/bench/load", *session.posargs)


@nox.session(default=False)
def conformance(session: nox.Session) -> None:
    """Run the official MCP conformance suite against a gateway (`contract` includes it)."""
    pytest(session, "tests/contract/test_conformance.py", "-rA", env=official_clients(session))


@nox.session(default=False)
def dist(session: nox.Session) -> None:
    """Build the wheel and the source distribution, and walk through the README with the wheel."""
    target = ROOT / "dist"
    shutil.rmtree(target, ignore_errors=True)
    session.run(environment(session, "build") / "hatchling", "build", "-d", target)
    bin_ = environment(session, "runtime", name="wheel")
    (wheel,) = target.glob("*.whl")
    pip_install(session, bin_, "--no-deps", "--force-reinstall", wheel)
    session.run(bin_ / "mcp-operator", "version")
    walkthrough(session, "--command", bin_ / "mcp-operator")


@nox.session(default=False)
def walkthrough(session: nox.Session, *arguments: str | Path) -> None:
    """Paste the commands of the README and of the first guide into a clean clone of HEAD."""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch, "clone")
        session.run("git", "clone", "--quiet", ROOT, clone)
        session.run(sys.executable, clone / "tools" / "walkthrough.py", *arguments)


def pytest(
    session: nox.Session, *arguments: str, env: dict[str, str] | None = None, group: str = "test"
) -> None:
    """Run pytest on the arguments, or on those that the user gave instead of the folders."""
    folders = [argument for argument in arguments if not argument.startswith("-")]
    options = [argument for argument in arguments if argument.startswith("-")]
    given = [argument for argument in session.posargs if not argument.startswith("-")]
    options += [argument for argument in session.posargs if argument.startswith("-")]
    command = environment(session, group) / "pytest"
    session.run(command, *(given or folders), *options, env=env)


def python(
    session: nox.Session, *arguments: str, env: dict[str, str] | None = None, group: str = "test"
) -> None:
    """Run Python with the package and the tests' support modules on its path."""
    env = {"PYTHONPATH": str(ROOT / "tests")} | (env or {})
    session.run(environment(session, group) / "python", *arguments, env=env)


def environment(session: nox.Session, group: str, *, name: str = "") -> Path:
    """Return the `bin` folder of a virtual environment that holds exactly a group's lock.

    Sessions share it, and it is made anew only when the lock changes.
    """
    folder = ROOT / ".nox" / (name or group)
    lock = LOCKS / f"{group}.txt"
    stamp = folder / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    bin_ = folder / "bin"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return bin_
    session.log(f"making {folder.relative_to(ROOT)} from {lock.relative_to(ROOT)}")
    session.run(sys.executable, "-m", "venv", "--clear", folder, silent=True)
    # A lock is complete. Left to look for dependencies, pip may try a release newer than it pins.
    pip_install(session, bin_, "--require-hashes", "--no-deps", "-r", lock)
    if group not in (*STANDALONE, "runtime"):
        pip_install(session, bin_, "--no-deps", "--no-build-isolation", "--editable", ROOT)
    stamp.write_text(digest, encoding="utf-8")
    return bin_


def pip_install(session: nox.Session, bin_: Path, *arguments: str | Path) -> None:
    """Install with pip, which honours the user's own index, mirror and proxy settings."""
    options = ("--quiet", "--disable-pip-version-check")
    session.run(bin_ / "python", "-m", "pip", "install", *options, *arguments)


def compile_arguments(name: str) -> list[str]:
    """Return what `uv` is told to compile one lock."""
    sources = [] if name in STANDALONE else ["pyproject.toml"]
    group = [] if name == "runtime" else ["--group", name]
    return [
        *("pip", "compile", "--quiet", "--universal", "--python-version=3.11"),
        *("--generate-hashes", "--no-emit-index-url", "--custom-compile-command=nox -s locks"),
        *sources,
        *group,
    ]


def official_clients(session: nox.Session) -> dict[str, str]:
    """Make the environments of the clients that cannot share ours; return where they are."""
    found = {"MCP_OPERATOR_MCP1_PYTHON": str(environment(session, "mcp1") / "python")}
    npm = shutil.which("npm")
    if npm is None:
        session.warn("no npm command on PATH: tests with the TypeScript client and suite will skip")
        return found
    return found | {
        "MCP_OPERATOR_TS_CLIENT": str(node_packages(session, npm, CONTRACT / "typescript")),
        "MCP_OPERATOR_CONFORMANCE": str(node_packages(session, npm, CONTRACT / "conformance")),
        "MCP_OPERATOR_CONNECT": str(node_packages(session, npm, CONTRACT / "connect")),
        "MCP_OPERATOR_IDENTITY": str(node_packages(session, npm, ROOT / "examples" / "login")),
        "MCP_OPERATOR_PRISM": str(node_packages(session, npm, CONTRACT / "prism")),
    }


def oldest_helm(session: nox.Session) -> dict[str, str]:
    """Install the oldest Helm that the chart is tested with, unless the user names one."""
    npm = shutil.which("npm")
    if "MCP_OPERATOR_HELM3" in os.environ:
        return {}
    if npm is None or sys.platform != "linux":
        session.warn("Helm 3 comes by npm and for Linux: without both set MCP_OPERATOR_HELM3")
        return {}
    commands = node_packages(session, npm, ROOT / "tests" / "chart" / "helm3") / "node_modules"
    return {"MCP_OPERATOR_HELM3": str(commands / ".bin" / "helm")}


def node_packages(session: nox.Session, npm: str, folder: Path) -> Path:
    """Copy a Node package of the tests to `.nox` and install exactly its lock there."""
    copy = ROOT / ".nox" / folder.name
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    lock, installed = copy / "package-lock.json", copy / "node_modules" / "installed-lock.json"
    if not installed.exists() or not filecmp.cmp(lock, installed, shallow=False):
        with session.chdir(copy):
            session.run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        shutil.copy(lock, installed)
    return copy

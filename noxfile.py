"""All tasks of this repository, one command each: `nox -l` lists them.

`nox` alone runs the checks that a change must pass before a push: lint, types, imports and unit.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tools"))  # nox runs this file from its own path

from environments import (  # noqa: E402 - found by the path above
    CLIENTS,
    EXAMPLES,
    GROUPS,
    LOCKS,
    compile_arguments,
    diagrams,
    environment,
    official_clients,
    oldest_helm,
    pip_install,
)

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "none"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "imports", "unit"]

GITHUB_SCHEMAS = {
    "github-workflows": "workflows/*.yml",
    "dependabot": "dependabot.yml",
    "github-issue-config": "ISSUE_TEMPLATE/config.yml",
    "github-issue-forms": "ISSUE_TEMPLATE/[0-9]*.yml",
}
"""Schemas that are part of check-jsonschema, and the files of .github that they describe."""


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
    """Check the dependencies between the layers with import-linter."""
    session.run(
        environment(session, "lint") / "lint-imports", env={"PYTHONPATH": str(ROOT / "operator")}
    )


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests: fast, and without servers except on loopback."""
    pytest(session, "tests/unit")


@nox.session(default=False)
def integration(session: nox.Session) -> None:
    """Run the tests against a real Kubernetes API server."""
    pytest(session, "tests/integration")


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Run the operator behind a failing network (MCP_OPERATOR_WALKS=1000 for a long run)."""
    pytest(session, "tests/faults")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Break each promise of the runtime, and check that its test fails (`-- 5 31`: these rows)."""
    python(session, "tests/mutants", *session.posargs)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Search for inputs that break a promise (`-- TARGET --seconds 600`; `-- --help` lists all)."""
    python(session, "tests/fuzz", *session.posargs, group="fuzz")


@nox.session(default=False)
def contract(session: nox.Session) -> None:
    """Run the tests with the official MCP clients."""
    pytest(session, "tests/contract", env=official_clients(session))


@nox.session(default=False)
def clients(session: nox.Session) -> None:
    """Test that third-party MCP clients can read every kind of answer; no model is called."""
    env = {}
    for group in CLIENTS:
        variable = f"MCP_OPERATOR_{group.replace('-', '_').upper()}"
        env[variable] = str(environment(session, group) / "python")
    pytest(session, "tests/clients", env=env)


@nox.session(default=False)
def test(session: nox.Session) -> None:
    """Run the unit, integration, contract and fault tests; fail below the required coverage.

    Two processes share the files, each with its own control plane. The tests with faults run whole
    operators and wait for them, so measuring coverage would only make them slower.
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


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation site into dist/site (`-- --versions` includes all releases)."""
    python = environment(session, "docs") / "python"
    session.run(python, "tools/docs_site.py", *diagrams(session), *session.posargs)


@nox.session(default=False)
def compatibility(session: nox.Session) -> None:
    """Compare the CRDs with those of a release, and fail on breaking changes (`-- v0.1.0`)."""
    python(session, "tools/compatibility.py", *session.posargs)


@nox.session(name="import", default=False)
def import_(session: nox.Session) -> None:
    """Import whole OpenAPI documents, and test them with an API server and Prism (`-- FILES`)."""
    clients = official_clients(session)
    python(session, "tools/import_figures.py", "--judge", *session.posargs, env=clients)


@nox.session(default=False)
def locks(session: nox.Session) -> None:
    """Pin all dependencies with hashes (`-- --check` compares, `-- --upgrade` updates).

    Existing pins stay while they satisfy pyproject.toml, so that a new release of a dependency does
    not make the check fail. No index address is written, so that any mirror works.
    """
    check = "--check" in session.posargs
    upgrade = ["--upgrade"] if "--upgrade" in session.posargs else []
    uv = environment(session, "bootstrap", name="locks") / "uv"
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("runtime", *GROUPS, *EXAMPLES):
            lock = EXAMPLES.get(name, LOCKS / f"{name}.txt")
            made = Path(scratch, f"{name}.txt")
            if lock.exists():
                shutil.copy(lock, made)
            session.run(uv, *compile_arguments(name), *upgrade, "--output-file", made)
            if not check:
                shutil.copy(made, lock)
            elif not lock.exists() or not filecmp.cmp(made, lock, shallow=False):
                session.error(f"{lock.relative_to(ROOT)} is out of date; run: nox -s locks")


@nox.session(default=False)
def workflows(session: nox.Session) -> None:
    """Check .github with JSON schemas, zizmor and actionlint, the Containerfiles with hadolint."""
    bin_ = environment(session, "workflows")
    for schema, pattern in GITHUB_SCHEMAS.items():
        files = sorted((ROOT / ".github").glob(pattern))
        session.run(bin_ / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    session.run(bin_ / "zizmor", "--offline", "--quiet", "--persona=pedantic", ROOT / ".github")
    for folder in (ROOT, ROOT / "examples" / "direct"):
        session.run(bin_ / "hadolint", folder / "Containerfile")
    actionlint = go_tool(session, "actionlint", "github.com/rhysd/actionlint/cmd/actionlint")
    # Shell and Python linters on PATH would give different results on each machine.
    session.run(actionlint, "-shellcheck=", "-pyflakes=")


@nox.session(default=False)
def prose(session: nox.Session) -> None:
    """Check the English of docs, comments, messages and test names with Vale (see .vale/styles)."""
    vale = go_tool(session, "vale", "github.com/vale-cli/vale/v3/cmd/vale")
    with tempfile.TemporaryDirectory() as scratch:
        texts = Path(scratch, "texts")
        session.run(sys.executable, "tools/prose.py", texts)
        pages = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "charts")
        session.run(vale, "--config", ROOT / ".vale.ini", "--output=line", *pages, texts)


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
    session.run(*install, "--resolution", choice, "--editable", f"{ROOT}[inspect,otel]")
    session.run(*install, "--group", "test")  # keeps the versions that the package needs
    session.run(folder / "bin" / "pytest", "tests/unit", *session.posargs[1:])


@nox.session(default=False)
def manifests(session: nox.Session) -> None:
    """Write dist/install.yaml; check all kustomizations with schemas, checkov, an API server."""
    python(session, "tools/install_manifest.py")
    pytest(session, "tests/manifests", env={"MCP_OPERATOR_SCAN": str(environment(session, "scan"))})


@nox.session(default=False)
def chart(session: nox.Session) -> None:
    """Lint the Helm chart, and test its output with Helm 3 and Helm 4."""
    env = {"MCP_OPERATOR_SCAN": str(environment(session, "scan")), **oldest_helm(session)}
    pytest(session, "tests/chart", env=env, group="chart")


@nox.session(default=False)
def gitops(session: nox.Session) -> None:
    """Test the applied objects with the code of Argo CD and Flux, which Go builds once."""
    pytest(session, "tests/gitops", group="chart")


@nox.session(default=False)
def image(session: nox.Session) -> None:
    """Build and check the image with docker, podman or buildah (`-- --help` lists options)."""
    session.run(sys.executable, "tools/image.py", *session.posargs)


@nox.session(default=False)
def e2e(session: nox.Session) -> None:
    """Test with real pods, on the cluster of E2E_KUBECONFIG, or on a new one of kind.

    The session builds the image, and loads it into the nodes with the command E2E_LOAD, in which it
    replaces {image} and {archive}. If E2E_IMAGE is set, it builds nothing. See e2e/README.md.
    """
    python(session, "tools/install_manifest.py")
    env = {}
    if "E2E_IMAGE" not in os.environ:
        archive = ROOT / "dist" / "image.tar"
        session.run(sys.executable, "tools/image.py", "--archive", archive)
        env["E2E_ARCHIVE"] = str(archive)
    group = "test" if shutil.which("helm") else "chart"  # "chart" has Helm as a library
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
    """Show the main task on a real API server (KEEP=1 leaves it running, PACE=1 narrates)."""
    python(session, "demo", *session.posargs)


@nox.session(name="demo-ops", default=False)
def demo_ops(session: nox.Session) -> None:
    """Cause faults, and show what conditions, metrics, alerts and clients report."""
    python(session, "demo", "drills", *session.posargs)


@nox.session(default=False)
def record(session: nox.Session) -> None:
    """Record a run of the demo for the README: docs/images/demo.cast and demo.svg."""
    python(session, "tools/record.py", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure propagation, cold start, scale, failover; compare with the baseline (`-- --help`)."""
    python(session, "tests/bench", *session.posargs)


@nox.session(name="bench-gateway", default=False)
def bench_gateway(session: nox.Session) -> None:
    """Measure the cost of a request, beside other servers, with wrk and nginx (`-- --help`)."""
    python(session, "tests/bench/gateway", *session.posargs)


@nox.session(default=False)
def load(session: nox.Session) -> None:
    """Load gateways: overload, silent backends, reloads, stops, streams (`-- --help`)."""
    python(session, "tests/bench/load", *session.posargs)


@nox.session(default=False)
def conformance(session: nox.Session) -> None:
    """Run the official MCP conformance suite against a gateway (`contract` includes it)."""
    pytest(session, "tests/contract/test_conformance.py", "-rA", env=official_clients(session))


@nox.session(default=False)
def dist(session: nox.Session) -> None:
    """Build the wheel and the source distribution, and test the README with the wheel."""
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
    """Run the commands of the README and of two guides in a clean clone of HEAD."""
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch, "clone")
        session.run("git", "clone", "--quiet", ROOT, clone)
        session.run(sys.executable, clone / "tools" / "walkthrough.py", *arguments)


def go_tool(session: nox.Session, name: str, package: str) -> Path:
    """Build a program that tools/NAME pins. With Go's cache, a second build is quick."""
    go = shutil.which("go")
    if go is None:
        session.error(f"there is no go command on PATH: {name} is built with it")
    program = ROOT / ".nox" / name
    with session.chdir(ROOT / "tools" / name):
        session.run(go, "build", "-o", program, package, env={"GOFLAGS": "-mod=readonly"})
    return program


def pytest(
    session: nox.Session, *arguments: str, env: dict[str, str] | None = None, group: str = "test"
) -> None:
    """Run pytest on the arguments, or on the user's own arguments instead of the folders."""
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

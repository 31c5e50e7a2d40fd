"""Breaks one promise of the runtime at a time, and checks that a test fails.

`nox -s mutants` tries all of `mutants.yaml`, `nox -s mutants -- 5 31` only these rows of the table
in docs/explanation/controller-runtime.md. It does not change the checkout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mutants.catalogue import ROOT, Mutant, catalogue

LIMITS = ("--timeout", "300")
PATIENCE = {"MCP_OPERATOR_TEST_HANG_SECONDS": "60"}
"""A shorter timeout than in other runs, because many mutants cause a wait to time out."""


def survives(mutant: Mutant, package: Path) -> bool:
    """Return whether the tests of a mutant pass on a copy of the package with its change."""
    broken = package / "mcp_operator" / mutant.file
    whole = broken.read_text(encoding="utf-8")
    broken.write_text(mutant.applied_to(whole), encoding="utf-8")
    paths = (package, ROOT / "tests", ROOT / "tools", ROOT)
    path = f"{package}:{ROOT / 'tests'}"
    try:
        run = subprocess.run(  # noqa: S603 - our own tests
            [
                *(sys.executable, "-m", "pytest", "-x", "-q", "--no-header", *mutant.tests),
                *LIMITS,
                *("-p", "no:cacheprovider", "-o", f"pythonpath={' '.join(map(str, paths))}"),
            ],
            cwd=ROOT,
            env={**PATIENCE, **os.environ, "PYTHONPATH": path, **mutant.env},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        broken.write_text(whole, encoding="utf-8")
    if run.returncode not in {0, 1}:
        sys.exit(f"{mutant}: the tests did not run\n{run.stdout}\n{run.stderr}")
    return run.returncode == 0


def main() -> int:
    wanted = {int(number) for number in sys.argv[1:]}
    chosen = [mutant for mutant in catalogue() if not wanted or mutant.row in wanted]
    survivors = []
    with tempfile.TemporaryDirectory(prefix="mcp-operator-mutants-") as scratch:
        package = Path(shutil.copytree(ROOT / "operator", Path(scratch, "operator")))
        for mutant in chosen:
            survived = survives(mutant, package)
            survivors += [mutant] if survived else []
            sys.stdout.write(f"{'SURVIVED' if survived else 'noticed '} {mutant}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants were noticed\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())

"""Write dist/install.yaml: all of manifests/base in one file, for `kubectl apply -f`."""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import sys
from pathlib import Path

from mcp_operator.version import VERSION
from support import kustomize
from support.provision import UnavailableError

ROOT = Path(__file__).resolve().parents[1]

TARGET = ROOT / "dist" / "install.yaml"

HEAD = f"# mcp-operator {VERSION}: kubectl apply --server-side -f install.yaml\n"


def main() -> int:
    """Write the file. Return 1 if that fails, after printing the reason."""
    try:
        text = HEAD + kustomize.render(ROOT / "manifests" / "base")
    except (UnavailableError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}: {len(text) // 1024} KiB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

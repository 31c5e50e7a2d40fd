"""Builds the Rust client of the tests."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from support.provision import Report, UnavailableError, cache_folder, locked

_FOLDER = Path(__file__).parent.parent / "rustclient"


def find_rust_client(report: Report) -> Path:
    """Returns the program of ``tests/rustclient``, and builds it if it does not exist.

    Raises:
        UnavailableError: it cannot be built on this machine.
    """
    digest = hashlib.sha256()
    for name in ("Cargo.toml", "Cargo.lock", "src/main.rs"):
        digest.update(hashlib.sha256((_FOLDER / name).read_bytes()).digest())
    built = cache_folder() / f"rustclient-{digest.hexdigest()[:12]}"
    with locked("rustclient.lock"):
        if not built.is_file():
            _build(built, report)
    return built


def _build(target: Path, report: Report) -> None:
    cargo = shutil.which("cargo")
    if cargo is None:
        raise UnavailableError("there is no cargo command on PATH to build the Rust client")
    report("Building the Rust client with Cargo; the first time takes a minute.")
    folder = cache_folder() / "rustclient-target"
    result = subprocess.run(  # noqa: S603 - Cargo and constant arguments
        [cargo, "build", "--locked", "--quiet"],
        cwd=_FOLDER,
        env=os.environ | {"CARGO_TARGET_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        reason = result.stderr.strip()[-300:]
        raise UnavailableError(f"tests/rustclient cannot be built here: {reason}")
    shutil.copy(folder / "debug" / "rustclient", target)

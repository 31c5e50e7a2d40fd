"""Import whole OpenAPI documents, validate the results, and print the figures.

`nox -s import -- FILES` runs this with documents of any size, JSON or YAML, compressed or not.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mcp_operator.app.openapi_sources import read_source
from mcp_operator.importers.openapi import Imported, import_openapi
from mcp_operator.importers.options import ImportOptions
from mcp_operator.importers.output import yaml_files
from mcp_operator.local.validation import validate

ROOT = Path(__file__).resolve().parents[1]
JUDGES = ("tests/integration/test_imported.py", "tests/contract/test_prism.py")
HEAD = ("document", "operations", "skipped", "less said", "objects", "YAML KiB", "largest KiB")


def main() -> int:
    """Print a row for each document. Return 1 if a written object is not valid."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="OpenAPI documents")
    parser.add_argument("--output-schemas", action="store_true", help="also import output schemas")
    parser.add_argument("--judge", action="store_true", help="also use an API server and Prism")
    arguments = parser.parse_args()
    sys.stdout.write(_row(*HEAD, "seconds", "problems"))
    sound = [_figures(file, output_schemas=arguments.output_schemas) for file in arguments.files]
    code = 0 if all(sound) else 1
    return max(code, _judged(arguments.files)) if arguments.judge else code


def _judged(files: list[Path]) -> int:
    """Test the objects with an API server, and the requests with Prism; return the exit code."""
    named = os.pathsep.join(str(file.resolve()) for file in files)
    command = [sys.executable, "-m", "pytest", "-rP", *JUDGES]
    environment = {**os.environ, "MCP_OPERATOR_OPENAPI_DOCUMENTS": named}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode  # noqa: S603 - our own tests


def _figures(file: Path, *, output_schemas: bool) -> bool:
    with tempfile.TemporaryDirectory() as scratch:
        document = Path(scratch, file.name.removesuffix(".gz"))
        content = file.read_bytes()
        document.write_bytes(gzip.decompress(content) if file.suffix == ".gz" else content)
        started = time.process_time()
        source = read_source(str(document))
        options = ImportOptions(everything=True, output_schemas=output_schemas)
        imported = import_openapi(source.documents, options)
        files = dict(yaml_files(imported, source.shown, source.digest, guessed=False))
        seconds = time.process_time() - started
        folder = Path(scratch, "tools")
        folder.mkdir()
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        problems = validate([folder]).problems
    size = sum(len(text.encode()) for text in files.values())
    _tell(imported, document.name, size, f"{seconds:.1f}", len(problems))
    for problem in problems[:5]:
        sys.stdout.write(f"  {problem}\n")
    return not problems


def _tell(imported: Imported, name: str, size: int, seconds: str, problems: int) -> None:
    report = imported.report
    shorter = sum(len(note.tools) for note in report.notes if note.text.startswith("schema of"))
    schemas = [
        entry[keyword]
        for obj in imported.objects
        for entry in obj["spec"]["tools"]
        for keyword in ("inputSchema", "outputSchema")
        if keyword in entry
    ]
    largest = max((len(json.dumps(schema)) for schema in schemas), default=0)
    counts = (report.operations, len(report.skipped), shorter, report.objects)
    sizes = (size // 1024, largest // 1024)
    sys.stdout.write(_row(name, *counts, *sizes, seconds, problems))
    for label, reason in report.skipped:
        sys.stdout.write(f"  skipped: {label}: {reason}\n")


def _row(name: object, *cells: object) -> str:
    return f"{name!s:24}" + "".join(f"{cell!s:>13}" for cell in cells) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())

"""`mcp-operator import openapi`: read a document, make tools of it, and write or compare them."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp_operator.app.openapi_settings import ImportSettings
from mcp_operator.app.openapi_sources import read_source
from mcp_operator.core.errors import OperatorError, SettingsError
from mcp_operator.importers.differences import differences, unified
from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.openapi import Imported, import_openapi
from mcp_operator.importers.output import yaml_text
from mcp_operator.importers.report import count
from mcp_operator.local.documents import load
from mcp_operator.local.problems import FilesError


def run_import(settings: ImportSettings) -> bool:
    """Import a document as the settings say.

    Returns:
        Whether all is well: with `--diff`, whether nothing would change.

    Raises:
        OperatorError: The document cannot be imported, or an operation had to be skipped and
            `--strict` was given.
    """
    if settings.service and settings.external:
        raise SettingsError("--service and --external exclude each other: specify one of them")
    source = read_source(settings.source, settings.references_from)
    imported = import_openapi(source.documents, settings.options)
    shown = source.shown
    if source.count > 1:
        shown += f" and {count(source.count - 1, 'document')} that it refers to"
    text = yaml_text(
        imported, shown, source.digest, guessed=not (settings.service or settings.external)
    )
    notes = [f"note: {note}" for note in source.notes]
    sys.stderr.writelines(f"{line}\n" for line in (*notes, *imported.report.lines()))
    if settings.report:
        lines = (*notes, *imported.report.lines(whole=True))
        _write(settings.report, "".join(f"{line}\n" for line in lines))
    if settings.strict and imported.report.skipped:
        skipped = count(len(imported.report.skipped), "operation")
        raise OpenApiError(f"{skipped} skipped, and --strict was given: no YAML is written")
    if settings.diff:
        return _compare(settings.diff, text, imported)
    _write(settings.output, text)
    return True


def _compare(file: Path, text: str, imported: Imported) -> bool:
    """Show how a file would change; tell whether it would not."""
    loaded = load([file])
    if loaded.problems:
        raise FilesError(loaded.problems)
    found = differences([document.obj for document in loaded.documents], imported.objects)
    lines = tuple(found.lines())
    if not lines:
        sys.stderr.write(f"{file}: nothing would change\n")
        return True
    sys.stdout.writelines(unified(file.read_text(encoding="utf-8-sig"), text, str(file)))
    sys.stderr.writelines(f"{line}\n" for line in lines)
    return False


def _write(file: Path | None, text: str) -> None:
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{file} cannot be written: {error.strerror or error}") from error

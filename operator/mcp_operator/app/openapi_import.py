"""`mcp-operator import openapi`: reads a document, and writes or compares its tools."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from mcp_operator.app.openapi_settings import ImportSettings
from mcp_operator.app.openapi_sources import read_source
from mcp_operator.core.errors import OperatorError, SettingsError
from mcp_operator.importers.differences import differences, unified
from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.openapi import Imported, import_openapi
from mcp_operator.importers.output import MADE_BY, yaml_files, yaml_text
from mcp_operator.importers.report import count
from mcp_operator.local.documents import load
from mcp_operator.local.problems import FilesError


def run_import(settings: ImportSettings) -> bool:
    """Import a document according to the settings.

    Returns:
        Whether the command succeeded; with `--diff`, whether nothing would change.

    Raises:
        OperatorError: The document cannot be imported, or an operation was skipped and `--strict`
            is set.
    """
    if settings.service and settings.external:
        raise SettingsError("specify either --service or --external, not both")
    source = read_source(settings.source, settings.references_from)
    imported = import_openapi(source.documents, settings.options)
    shown = source.shown
    if source.count > 1:
        shown += f" and {count(source.count - 1, 'document')} that it refers to"
    files = _files(settings, imported, shown, source.digest)
    notes = [f"note: {note}" for note in source.notes]
    sys.stderr.writelines(f"{line}\n" for line in (*notes, *imported.report.lines()))
    if settings.report:
        lines = (*notes, *imported.report.lines(whole=True))
        _write(settings.report, "".join(f"{line}\n" for line in lines))
    if settings.strict and imported.report.skipped:
        skipped = count(len(imported.report.skipped), "operation")
        raise OpenApiError(f"{skipped} skipped, and --strict is set, so no YAML is written")
    if settings.diff:
        return _compare(settings.diff, files, imported)
    for file, text in files.items():
        _write(file, text)
    for file in _earlier(settings.output) if settings.output else ():
        if file not in files:
            sys.stderr.write(f"note: {file} is left from an earlier import: remove it\n")
    return True


def _files(
    settings: ImportSettings, imported: Imported, shown: str, digest: str
) -> dict[Path | None, str]:
    """Return the files to write, and their texts; None means standard output."""
    guessed = not (settings.service or settings.external)
    place = settings.diff or settings.output
    if place is None or not place.is_dir():
        return {place: yaml_text(imported, shown, digest, guessed=guessed)}
    named = yaml_files(imported, shown, digest, guessed=guessed)
    return {place / name: text for name, text in named}


def _earlier(place: Path) -> list[Path]:
    """Return the file, or the files in the folder that an import wrote."""
    if not place.is_dir():
        return [place]
    return [file for file in sorted(place.glob("*.yaml")) if _is_import(file)]


def _is_import(file: Path) -> bool:
    try:
        return MADE_BY.encode() in file.read_bytes()
    except OSError:
        return False  # a folder, or a file that other users own


def _compare(place: Path, files: Mapping[Path | None, str], imported: Imported) -> bool:
    """Show how a file or the files of a folder would change; tell whether nothing would."""
    earlier = _earlier(place)
    loaded = load(earlier)
    if loaded.problems:
        raise FilesError(loaded.problems)
    found = differences([document.obj for document in loaded.documents], imported.objects)
    lines = tuple(found.lines())
    if not lines:
        sys.stderr.write(f"{place}: nothing would change\n")
        return True
    for file in dict.fromkeys((*files, *earlier)):
        old = file.read_text("utf-8-sig") if isinstance(file, Path) and file in earlier else ""
        sys.stdout.writelines(unified(old, files.get(file, ""), str(file)))
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

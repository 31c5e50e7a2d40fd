"""Converts descriptions of HTTP APIs to the YAML of tools: pure functions, no files, no network."""

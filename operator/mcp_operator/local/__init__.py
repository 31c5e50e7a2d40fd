"""Handles the four kinds in YAML files instead of an API server: loading, checking, watching."""

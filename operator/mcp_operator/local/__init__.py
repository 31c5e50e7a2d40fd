"""The four kinds from YAML files instead of an API server: loading, checking, following."""

"""Traces by OpenTelemetry, where the environment asks for them (`setup`).

`opentelemetry` is imported below `spans` and `export` alone, which `setup` imports only then.
"""

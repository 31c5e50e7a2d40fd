"""Traces with OpenTelemetry, if environment variables ask for them (see `setup`).

Only `spans` and `export` import `opentelemetry`, and `setup` imports them only if traces are on.
"""

"""MOVED to mcp_operator.api.jsonschema (the lead: builders need it too). Import from there; this shim goes."""

from mcp_operator.api.jsonschema import CompiledSchema, SchemaError

__all__ = ["CompiledSchema", "SchemaError"]

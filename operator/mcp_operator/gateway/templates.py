"""MOVED to mcp_operator.api.uritemplates (the lead: builders need it too). Import from there; this shim goes."""

from mcp_operator.api.uritemplates import MAX_URI_LENGTH, TemplateError, UriTemplate, is_safe_segment

__all__ = ["MAX_URI_LENGTH", "TemplateError", "UriTemplate", "is_safe_segment"]

"""The four kinds of `mcp-operator.dev/v1alpha1` and where the API server serves them."""

from mcp_operator.api.base import GROUP, VERSION
from mcp_operator.api.v1alpha1.mcpprompt import MCPPrompt
from mcp_operator.api.v1alpha1.mcpresource import MCPResource
from mcp_operator.api.v1alpha1.mcpserver import MCPServer
from mcp_operator.api.v1alpha1.mcptool import MCPTool
from mcp_operator.core.meta import Resource

MCPSERVERS = Resource(GROUP, VERSION, "mcpservers", "MCPServer")
MCPTOOLS = Resource(GROUP, VERSION, "mcptools", "MCPTool")
MCPPROMPTS = Resource(GROUP, VERSION, "mcpprompts", "MCPPrompt")
MCPRESOURCES = Resource(GROUP, VERSION, "mcpresources", "MCPResource")

__all__ = [
    "MCPPROMPTS",
    "MCPRESOURCES",
    "MCPSERVERS",
    "MCPTOOLS",
    "MCPPrompt",
    "MCPResource",
    "MCPServer",
    "MCPTool",
]

"""Objects that the API server must refuse, each with parts of the error message.

The unit tests validate them with `api.validation`, the integration tests with a real API server.
Both errors must name the field and the fix.
"""

from support.negatives.authentication import AUTHENTICATION
from support.negatives.caching import CACHING
from support.negatives.case import Negative
from support.negatives.direct import DIRECT
from support.negatives.icons import ICONS
from support.negatives.limits import LIMITS
from support.negatives.pods import PODS
from support.negatives.podtemplates import PODTEMPLATES
from support.negatives.prompts import PROMPTS
from support.negatives.resources import RESOURCES
from support.negatives.responses import RESPONSES
from support.negatives.servers import SERVERS
from support.negatives.tools import TOOLS

NEGATIVES = (
    *SERVERS,
    *DIRECT,
    *AUTHENTICATION,
    *LIMITS,
    *PODS,
    *PODTEMPLATES,
    *TOOLS,
    *RESPONSES,
    *PROMPTS,
    *RESOURCES,
    *ICONS,
    *CACHING,
)

__all__ = ["NEGATIVES", "Negative"]

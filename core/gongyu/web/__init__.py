"""The ASGI application: routes gated per district, problem details, OpenAPI. A plugin's handlers need these five."""

from gongyu.web.call import Call
from gongyu.web.paging import Cursor, Limit, Page, Paged
from gongyu.web.problems import ProblemError

__all__ = ["Call", "Cursor", "Limit", "Page", "Paged", "ProblemError"]

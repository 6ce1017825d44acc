"""The ASGI application: routes gated per district, problem details, OpenAPI. A plugin's handlers need these five."""

from typing import TypeAlias

from litestar.di import NamedDependency

from gongyu.web.call import Call as _Call
from gongyu.web.paging import Cursor, Limit, Page, Paged
from gongyu.web.problems import ProblemError

#: One request to one district, as a handler's argument `call`.
Call: TypeAlias = NamedDependency[_Call]

__all__ = ["Call", "Cursor", "Limit", "Page", "Paged", "ProblemError"]

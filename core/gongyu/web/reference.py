"""The API reference for people: one page rendered here, with our own style sheet and no script.

It is made of the same document that generators read, so it cannot say anything else. Nothing is fetched from anywhere,
and the policy below makes the browser hold us to it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final

import jinja2
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter
from litestar.response import Redirect

from gongyu import __version__
from gongyu.plugin import Public
from gongyu.text import Language, preferred_language
from gongyu.web.problems import CATALOGUE, ProblemError
from gongyu.web.reference_page import groups_of, prose
from gongyu.web.reference_words import WORDS

__all__ = ["render", "reference_page", "static_routes"]

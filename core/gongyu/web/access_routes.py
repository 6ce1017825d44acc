"""Everything about coming in, mounted in one place."""

from collections.abc import Sequence

from litestar import Router

from gongyu.web.account_routes import account_routes
from gongyu.web.approval_routes import approval_routes
from gongyu.web.audit_routes import audit_routes
from gongyu.web.oidc_routes import oidc_routes
from gongyu.web.own_factor_routes import own_factor_routes
from gongyu.web.own_routes import own_routes
from gongyu.web.session_routes import session_routes

__all__ = ["access_routes"]


def access_routes() -> Sequence[Router]:
    return [
        session_routes(),
        oidc_routes(),
        own_routes(),
        own_factor_routes(),
        account_routes(),
        audit_routes(),
        approval_routes(),
    ]

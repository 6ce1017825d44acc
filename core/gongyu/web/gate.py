"""The gate before every route: district there, plugin on, person known, permission given. Default deny.

The core gates, the plugin does not: a plugin's handler cannot forget a check it never makes.
"""

from typing import Any

from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from gongyu.access import approvals
from gongyu.access.authenticate import Authenticator, cookie_name
from gongyu.access.principal import Principal
from gongyu.access.rights import Verdict, verdict
from gongyu.districts.registry import DistrictState
from gongyu.events import idempotency
from gongyu.platform import Platform
from gongyu.plugin import Permission, Public, SignedIn
from gongyu.text import Text, preferred_language
from gongyu.web.call import Call
from gongyu.web.origin import is_cross_site
from gongyu.web.problems import ProblemError
from gongyu.web.refusals import Refusals
from gongyu.web.scope import CALL, extras

__all__ = ["SAFE_METHODS", "Gate", "ReplayedAnswer"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class ReplayedAnswer(Exception):  # noqa: N818 - not an error: the way out of a guard with an answer in hand
    """The request was answered before; this is the answer."""

    def __init__(self, answer: idempotency.Answer) -> None:
        super().__init__("replayed")
        self.answer = answer


def _cookie(connection: ASGIConnection[Any, Any, Any, Any], slug: str) -> str | None:
    return connection.cookies.get(cookie_name(slug)) if "cookie" in connection.headers else None


class Gate:
    """A Litestar guard; guards of the layers add up, so no plugin can replace it."""

    def __init__(self, platform: Platform, authenticator: Authenticator, refusals: Refusals) -> None:
        self._platform = platform
        self._authenticator = authenticator
        self._refusals = refusals

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        slug = connection.path_params.get("district")
        if slug is None:  # the core's few routes outside any district say themselves that they are public
            return
        state = self._platform.registry.states.get(slug)
        if state is None:
            raise ProblemError("unknown-district")
        plugin = handler.opt.get("plugin", "")
        if plugin and plugin not in state.enabled:
            raise ProblemError("plugin-off")
        if "permission" not in handler.opt:  # Litestar's own answer to OPTIONS: the methods; all others declare one
            return
        headers = connection.headers
        unsafe = extras(connection.scope)["method"] not in SAFE_METHODS
        authorization = headers.get("authorization")
        # What comes with a header of its own cannot be made a browser do by somebody else's page; a cookie can. Signing
        # in too: a visitor must not be signed in as somebody else without noticing.
        if unsafe and authorization is None and is_cross_site(connection):
            raise ProblemError("cross-site")
        person = await self._authenticator.principal(state, authorization, _cookie(connection, slug))
        found = await self._judge(state, person, handler.opt["permission"])
        language = preferred_language(headers.get("accept-language"))
        call = Call(self._platform, state, person, found, plugin, language, path=connection.scope["path"])
        if found is not None:
            await self._check_approval(call, self._platform.host.permissions[handler.opt["permission"]])
        extras(connection.scope)[CALL] = call
        header = headers.get("idempotency-key")
        if header is not None and unsafe and not handler.opt.get("keyless", False):
            await self._replay(call, connection, header)

    async def _judge(
        self, state: DistrictState, person: Principal | None, needed: str | Public | SignedIn
    ) -> Verdict | None:
        """Where the permission holds; None for a route that asks for none."""
        if isinstance(needed, Public):
            return None
        if person is None:
            raise ProblemError("not-signed-in")
        if isinstance(needed, SignedIn):
            return None
        found = verdict(person, self._platform.host.permissions[needed])
        if not found.allowed:
            details = {"permission": needed, "via": person.via}
            await self._refusals.note(
                state.district,
                action="access.refused",
                actor=person.actor,
                about=needed,
                ground=found.ground.en,
                details=details,
            )
            raise ProblemError("forbidden", found.ground)
        return found

    async def _check_approval(self, call: Call, permission: Permission) -> None:
        """What needs an approval is refused without one, and written down with it."""
        if permission.sensitive or permission.approval:
            call.sensitive = permission.name
        if not permission.approval:
            return
        async with self._platform.database.read(call.district) as connection:
            call.approval = await approvals.in_force(
                connection, person=call.principal.person, permission=permission.name, now=call.now
            )
        if call.approval is None:
            needed = Text(
                zh="需要审批：请说明理由并申请（POST …/approvals）",
                en="this needs an approval: ask for one, with the reason (POST …/approvals)",
            )
            await self._refusals.note(
                call.district,
                action="access.refused",
                actor=call.actor,
                about=permission.name,
                ground=needed.en,
                details={"permission": permission.name, "via": call.principal.via},
            )
            raise ProblemError("forbidden", needed)

    async def _replay(self, call: Call, connection: ASGIConnection[Any, Any, Any, Any], header: str) -> None:
        key = idempotency.parse_key(header)
        if key is None:
            raise ProblemError(
                "idempotency-key",
                Text(zh="应为 1 到 255 个可见 ASCII 字符", en="1 to 255 visible ASCII characters are expected"),
            )
        scope = extras(connection.scope)
        body = await connection.body() if isinstance(connection, Request) else b""
        mark = idempotency.fingerprint(scope["method"], scope["path"], scope["query_string"], body)
        try:
            session, keys = await call.session(), self._platform.keys
            answer = await idempotency.claim(session, keys=keys, actor=call.actor, key=key, fingerprint=mark)
        except idempotency.KeyReusedError as error:
            raise ProblemError("idempotency-mismatch") from error
        if answer is not None:
            raise ReplayedAnswer(answer)
        call.idempotency_key = key

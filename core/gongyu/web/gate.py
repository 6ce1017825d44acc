"""The gate before every route: district there, plugin on, person known, permission given. Default deny.

The core gates, the plugin does not: a plugin's handler cannot forget a check it never makes.
"""

from typing import Any

from litestar import Request, Response
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from gongyu.access import approvals
from gongyu.access.authenticate import Authenticator, cookie_name
from gongyu.access.principal import Principal
from gongyu.access.rights import Verdict, in_scope, out_of_scope, verdict
from gongyu.districts.registry import DistrictState
from gongyu.events import idempotency
from gongyu.platform import Platform
from gongyu.plugin import Permission, Public, SignedIn
from gongyu.text import Text, preferred_language
from gongyu.web.call import Call
from gongyu.web.origin import is_cross_site
from gongyu.web.problems import ProblemError
from gongyu.web.refusals import Refusals
from gongyu.web.scope import CALL, extras, header

__all__ = ["SAFE_METHODS", "Gate"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Gate:
    """A Litestar middleware; those of the layers add up, so no plugin can replace it.

    No guard: each is handed a copy of the handler for each request, which costs more than the gate itself.
    """

    def __init__(self, platform: Platform, authenticator: Authenticator, refusals: Refusals) -> None:
        self._platform = platform
        self._authenticator = authenticator
        self._refusals = refusals

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            answer = await self._admit(request, scope["route_handler"])
            if answer is None:
                await app(scope, receive, send)
            else:
                await _replayed(answer).to_asgi_response(None, request)(scope, receive, send)

        return gated

    async def _admit(self, request: Request[Any, Any, Any], handler: BaseRouteHandler) -> idempotency.Answer | None:
        """Raises unless the request may go on; an answer where it was answered before."""
        scope = request.scope
        slug = scope["path_params"].get("district")
        if slug is None:  # the core's few routes outside any district say themselves that they are public
            return None
        state = self._platform.registry.states.get(slug)
        if state is None:
            raise ProblemError("unknown-district")
        plugin = handler.opt.get("plugin", "")
        if plugin and plugin not in state.enabled:
            raise ProblemError("plugin-off")
        if "permission" not in handler.opt:  # Litestar's own answer to OPTIONS: the methods; all others declare one
            return None
        unsafe = scope["method"] not in SAFE_METHODS
        authorization = header(scope, b"authorization")
        # What comes with a header of its own cannot be made a browser do by somebody else's page; a cookie can. Signing
        # in too: a visitor must not be signed in as somebody else without noticing.
        if unsafe and authorization is None and is_cross_site(request):
            raise ProblemError("cross-site")
        person = await self._authenticator.principal(state, authorization, _cookie(request, slug))
        found = await self._judge(state, person, handler.opt["permission"], plugin)
        language = preferred_language(header(scope, b"accept-language"))
        call = Call(self._platform, state, person, found, plugin, language, path=scope["path"])
        if found is not None:
            await self._check_approval(call, self._platform.host.permissions[handler.opt["permission"]])
        extras(scope)[CALL] = call
        key = header(scope, b"idempotency-key")
        if key is not None and unsafe and not handler.opt.get("keyless", False):
            return await self._replay(call, request, key)
        return None

    async def _judge(
        self, state: DistrictState, person: Principal | None, needed: str | Public | SignedIn, plugin: str
    ) -> Verdict | None:
        """Where the permission holds; None for a route that asks for none."""
        if isinstance(needed, Public):
            return None
        if person is None:
            raise ProblemError("not-signed-in")
        if isinstance(needed, SignedIn):
            scope = f"{plugin or 'people'}.own"
            if needed.any_token or in_scope(person.scopes, scope):
                return None
            raise await self._refusal(state, person, scope, out_of_scope(scope))
        found = verdict(person, self._platform.host.permissions[needed])
        if not found.allowed:
            raise await self._refusal(state, person, needed, found.ground)
        return found

    async def _refusal(self, state: DistrictState, person: Principal, needed: str, ground: Text) -> ProblemError:
        """Written down, and with its ground."""
        await self._refusals.note(
            state.district,
            action="access.refused",
            actor=person.actor,
            about=needed,
            ground=ground.en,
            details={"permission": needed, "via": person.via},
        )
        return ProblemError("forbidden", ground)

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

    async def _replay(self, call: Call, request: Request[Any, Any, Any], written: str) -> idempotency.Answer | None:
        key = idempotency.parse_key(written)
        if key is None:
            raise ProblemError(
                "idempotency-key",
                Text(zh="应为 1 到 255 个可见 ASCII 字符", en="1 to 255 visible ASCII characters are expected"),
            )
        scope = request.scope
        mark = idempotency.fingerprint(scope["method"], scope["path"], scope["query_string"], await request.body())
        try:
            session, keys = await call.session(), self._platform.keys
            answer = await idempotency.claim(session, keys=keys, actor=call.actor, key=key, fingerprint=mark)
        except idempotency.KeyReusedError as error:
            raise ProblemError("idempotency-mismatch") from error
        if answer is None:
            call.idempotency_key = key
        else:
            call.replayed = True
        return answer


def _cookie(request: Request[Any, Any, Any], slug: str) -> str | None:
    return request.cookies.get(cookie_name(slug)) if header(request.scope, b"cookie") else None


def _replayed(answer: idempotency.Answer) -> Response[bytes]:
    headers = {key: value for key, value in answer.headers.items() if key.lower() != "content-type"}
    media_type = answer.headers.get("content-type", "application/json")
    headers["idempotency-replayed"] = "true"
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=media_type)

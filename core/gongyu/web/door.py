"""What the routes of coming in share: the door of the process, and who stands at it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx
from litestar import Request, Response
from litestar.openapi.datastructures import ResponseSpec

from gongyu.access.accounts import AccountError
from gongyu.access.attempts import TooManyAttemptsError
from gongyu.access.authenticate import cookie_name
from gongyu.access.codes import CodeError
from gongyu.access.oidc import OidcClient, OidcError
from gongyu.access.own_password import WrongPasswordError
from gongyu.access.rules import AccessRules, OidcProvider
from gongyu.access.sessions import set_cookie
from gongyu.access.sign_in import SignIn, SignInRefusedError, Visitor
from gongyu.access.tokens import TokenError
from gongyu.plugin import District
from gongyu.text import Text
from gongyu.web.call import Call
from gongyu.web.origin import address_of
from gongyu.web.problems import ProblemError
from gongyu.web.refusals import Refusals
from gongyu.web.scope import CALL, extras

__all__ = ["DOOR", "NO_STORE", "Door", "Visit", "refusing", "visit"]

T = TypeVar("T")
DOOR: Final = "door"
#: Of every answer with a secret in it.
NO_STORE: Final = {"cache-control": "no-store"}


def refusing(*statuses: int) -> dict[int, ResponseSpec]:
    """What a route answers besides, for the documentation."""
    return {status: ResponseSpec(None) for status in statuses}


@dataclass(slots=True)
class Door:
    """One for each process: the work of signing in, and what it is done with."""

    sign_in: SignIn
    refusals: Refusals
    http: httpx.AsyncClient | None = None
    _clients: dict[tuple[str, OidcProvider], OidcClient] = field(default_factory=dict)

    def oidc(self, district: District, provider: OidcProvider) -> OidcClient:
        """The client of a district's own sign-in service, which remembers what the service says of itself."""
        key = (district.slug, provider)
        if key not in self._clients:
            self.http = self.http or httpx.AsyncClient(timeout=10)
            self._clients[key] = OidcClient(provider, http=self.http, keys=self.sign_in.keys, slug=district.slug)
        return self._clients[key]

    async def close(self) -> None:
        if self.http is not None:
            await self.http.aclose()


@dataclass(frozen=True, slots=True)
class Visit:
    """A request at the door.

    Attributes:
        visitor: The address and the cookie they come with.
        base: Where their browser reaches us.
    """

    call: Call
    door: Door
    visitor: Visitor
    base: str

    @property
    def district(self) -> District:
        return self.call.district

    @property
    def rules(self) -> AccessRules:
        return self.call.state.access

    @property
    def now(self) -> datetime:
        return self.call.now

    @asynccontextmanager
    async def attempt(self, method: str) -> AsyncGenerator[None]:
        """Around what can be refused: each refusal becomes its problem, and too many of them stand in the audit log."""
        try:
            yield
        except TooManyAttemptsError as error:
            await self.door.refusals.note(
                self.district,
                action="sign_in.limited",
                actor="anonymous",
                about=f"{method} {self.visitor.address}",
                details={"method": method, "address": self.visitor.address},
            )
            headers = {"retry-after": str(max(1, round(error.retry_after.total_seconds())))}
            raise ProblemError("rate-limited", headers=headers) from error
        except SignInRefusedError as error:
            raise ProblemError("sign-in-refused", error.text) from error
        except CodeError as error:
            raise ProblemError("code-refused", error.text) from error
        except WrongPasswordError as error:
            raise ProblemError("invalid", errors=[(f"/{error.field}", error.text)]) from error
        except AccountError as error:
            raise ProblemError("invalid", errors=[("", reason) for reason in error.reasons]) from error
        except TokenError as error:
            raise ProblemError("invalid", errors=[("", error.text)]) from error
        except OidcError as error:
            raise ProblemError("sign-in-refused", error.text) from error

    def needs_session(self) -> None:
        """What changes how a person comes in asks for the person, not for a script of theirs."""
        if not self.call.principal.via.startswith("session:"):
            text = Text(
                zh="请在浏览器中登录后操作，令牌不能做这件事", en="sign in with a browser: no token can do this"
            )
            raise ProblemError("forbidden", text)

    def answer(self, content: T, *, cookie: str | None = None, status: int = 200) -> Response[T]:
        """An answer that nobody keeps; with a session's cookie, or with an empty one to take it away."""
        headers = dict(NO_STORE)
        if cookie is not None:
            headers["set-cookie"] = set_cookie(self.district.slug, cookie)
        return Response(content, status_code=status, headers=headers)


def visit(request: Request[Any, Any, Any]) -> Visit:
    """Of a request that has passed the gate."""
    call: Call = extras(request.scope)[CALL]
    config = call.platform.config
    visitor = Visitor(
        address=address_of(request, config.trusted_proxies), cookie=request.cookies.get(cookie_name(call.district.slug))
    )
    base = config.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return Visit(call, request.app.state[DOOR], visitor, base)

"""Signing in through the district's own directory: OpenID Connect Core 1.0, authorization code with PKCE.

The identity is issuer and subject, nothing softer. State, nonce and verifier travel in a sealed cookie of the browser
that set out (RFC 9700 2.1.2, 4.7), so that nobody is signed in by a link somebody else prepared, and any process can
welcome them back.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gongyu.access.keys import KeyRing, SealBrokenError
from gongyu.access.rules import OidcProvider
from gongyu.text import Text

__all__ = ["Departure", "Identity", "OidcClient", "OidcError", "OidcProvider"]

_CONTEXT: Final = b"oidc.departure"
_AWAY: Final = timedelta(minutes=10)
#: Signatures that only the provider can make; never `none`, and no HMAC, whose key the browser's client might know.
_ALGORITHMS: Final = ["RS256", "PS256", "ES256", "ES384"]
_LEEWAY: Final = 60


class OidcError(Exception):
    """The other service's answer cannot be used; the text says why, for the operator."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Identity(msgspec.Struct, frozen=True):
    """Whom the service vouches for. `sourced_id` is set only if the district trusts its claim."""

    issuer: str
    subject: str
    sourced_id: str | None = None


class Departure(msgspec.Struct, frozen=True):
    """Where to send the browser, and the cookie it takes along."""

    url: str
    cookie: str


class _Travel(msgspec.Struct, frozen=True):
    state: str
    nonce: str
    verifier: str
    issuer: str
    redirect_uri: str
    until: datetime


class _Metadata(msgspec.Struct, frozen=True):
    """What we need of the discovery document (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authorization_response_iss_parameter_supported: bool = False


class OidcClient:
    """Talks with one provider.

    Args:
        provider: Which.
        http: For its documents and the exchange of the code.
        keys: Seal the cookie.
        slug: The district; a cookie of another does not open.
    """

    def __init__(self, provider: OidcProvider, *, http: httpx.AsyncClient, keys: KeyRing, slug: str) -> None:
        self._provider = provider
        self._http = http
        self._keys = keys
        self._slug = slug
        self._metadata: _Metadata | None = None

    async def depart(self, *, redirect_uri: str, now: datetime) -> Departure:
        """Begin: an address at the provider, and a cookie to come back with."""
        metadata = await self._discover()
        travel = _Travel(
            state=generate_token(43),
            nonce=generate_token(43),
            verifier=generate_token(64),
            issuer=self._provider.issuer,
            redirect_uri=redirect_uri,
            until=now + _AWAY,
        )
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self._provider.scopes),
            "state": travel.state,
            "nonce": travel.nonce,
            "code_challenge": create_s256_code_challenge(travel.verifier),  # type: ignore[no-untyped-call]  # it has no types
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in metadata.authorization_endpoint else "?"
        sealed = self._keys.encrypt(self._slug, msgspec.json.encode(travel), context=_CONTEXT)
        return Departure(f"{metadata.authorization_endpoint}{separator}{urlencode(query)}", sealed.hex())

    async def arrive(self, *, cookie: str | None, answer: Mapping[str, str], now: datetime) -> Identity:
        """Come back: check that this browser set out, exchange the code, and check the token that comes for it.

        Args:
            cookie: What `depart` gave; take it away from the browser now.
            answer: The query the provider sent the browser back with.
            now: The time.

        Raises:
            OidcError: Anything that does not fit.
        """
        travel = self._unseal(cookie)
        if travel is None or travel.issuer != self._provider.issuer or now >= travel.until:
            raise _wrong("登录已过期，请重新开始", "the sign-in has expired, begin again")
        if not hmac.compare_digest(answer.get("state", "").encode(), travel.state.encode()):
            raise _wrong("state 不符", "the state is another")
        metadata = await self._discover()
        issuer = answer.get("iss")  # mix-up of providers (RFC 9207)
        if issuer != metadata.issuer and (issuer or metadata.authorization_response_iss_parameter_supported):
            raise _wrong("回应来自其他服务", "the answer is another service's")
        if "code" not in answer:
            raise _wrong("对方拒绝了登录", "the service refused the sign-in")
        tokens = await self._exchange(metadata, answer["code"], travel)
        claims = await self._claims(metadata, tokens, travel.nonce, now)
        sourced = claims.get(self._provider.sourced_id_claim) if self._provider.sourced_id_claim else None
        usable = isinstance(sourced, str) and sourced.isprintable() and sourced
        return Identity(claims["iss"], claims["sub"], sourced if usable else None)

    def _unseal(self, cookie: str | None) -> _Travel | None:
        try:
            opened = self._keys.decrypt(self._slug, bytes.fromhex(cookie or ""), context=_CONTEXT)
        except (ValueError, SealBrokenError):
            return None
        return msgspec.json.decode(opened, type=_Travel)

    async def _discover(self) -> _Metadata:
        if self._metadata is None:
            url = self._provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
            try:
                found = msgspec.json.decode(await self._get(url), type=_Metadata)
            except msgspec.DecodeError:
                raise _wrong("登录服务的配置文档不完整", "the service's discovery document is incomplete") from None
            if found.issuer != self._provider.issuer:
                raise _wrong("登录服务自称的 issuer 不符", "the service names itself as another issuer")
            self._metadata = found
        return self._metadata

    async def _exchange(self, metadata: _Metadata, code: str, travel: _Travel) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": travel.redirect_uri,
            "code_verifier": travel.verifier,
            "client_id": self._provider.client_id,
        }
        name, secret = quote_plus(self._provider.client_id), quote_plus(self._provider.client_secret)  # RFC 6749 2.3.1
        basic = httpx.BasicAuth(name, secret) if secret else httpx.USE_CLIENT_DEFAULT
        try:
            answer = await self._http.post(metadata.token_endpoint, data=form, auth=basic, follow_redirects=False)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if answer.status_code != httpx.codes.OK:
            raise _wrong("登录服务不接受授权码", "the service does not accept the code")
        try:
            return msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.DecodeError:
            raise _wrong("登录服务的回应不是 JSON", "the service's answer is no JSON") from None

    async def _claims(
        self, metadata: _Metadata, tokens: Mapping[str, Any], nonce: str, now: datetime
    ) -> Mapping[str, Any]:
        """The ID token's claims, checked as OpenID Connect Core 3.1.3.7 says."""
        try:
            keys = KeySet.import_key_set(msgspec.json.decode(await self._get(metadata.jwks_uri)))
            token = jwt.decode(str(tokens.get("id_token", "")), keys, algorithms=_ALGORITHMS)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": metadata.issuer},
                    "aud": {"essential": True, "value": self._provider.client_id},
                    "sub": {"essential": True},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._provider.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(now=int(now.timestamp()), leeway=_LEEWAY)
        except (JoseError, msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            raise OidcError(
                Text(zh="身份令牌无效：{what}", en="the identity token is not valid: {what}").format(
                    what=type(error).__name__
                )
            ) from None
        subject = claims["sub"]  # at most 255 ASCII characters (OpenID Connect Core 2)
        if not (isinstance(subject, str) and 0 < len(subject) < 256 and subject.isascii() and subject.isprintable()):  # noqa: PLR2004 - as above
            raise _wrong("身份令牌的 sub 无效", "the identity token has no valid subject")
        return cast("Mapping[str, Any]", claims)

    async def _get(self, url: str) -> bytes:
        try:
            answer = await self._http.get(url, follow_redirects=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        return answer.content


def _wrong(zh: str, en: str) -> OidcError:
    return OidcError(Text(zh=zh, en=en))


def _unreachable(error: httpx.HTTPError) -> OidcError:
    return OidcError(
        Text(zh="登录服务没有回应：{what}", en="the sign-in service does not answer: {what}").format(
            what=type(error).__name__
        )
    )

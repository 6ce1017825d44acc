"""Signing in through another service: a whole provider stands in, and lies in every way it can."""

import hashlib
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from gongyu.access.accounts import disable_account
from gongyu.access.codes import CodeError, issue
from gongyu.access.keys import KeyRing
from gongyu.access.models import ExternalIdentity
from gongyu.access.oidc import Identity, OidcClient, OidcError, OidcProvider
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import SignedInAs, SignIn, SignInRefusedError, Visitor
from gongyu.config import Config
from gongyu.people.models import Person

if TYPE_CHECKING:
    from tests.access.conftest import Scene

ISSUER = "https://directory.example"
BACK = "https://gongyu.example/ezhou/oidc"
PROVIDER = OidcProvider(
    issuer=ISSUER,
    client_id="gongyu client",
    client_secret="s+cret",  # noqa: S106 - of nobody
    sourced_id_claim="employee",
)


def s256(verifier: str) -> str:
    """RFC 7636 4.2, by hand: the provider's side is not ours."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class Directory:
    """An OpenID provider of one user, in memory."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "1"})
        self.asked: dict[str, str] = {}
        self.claims: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            {"alg": "ES256", "kid": "1"}, claims, self.key
        )

    def visit(self, url: str) -> dict[str, str]:
        """The user signs in there: what their browser comes back with."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return {"code": "c0de", "state": self.asked["state"], "iss": ISSUER}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/.well-known/openid-configuration":
                document = {
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/keys",
                }
                return httpx.Response(200, json=document | self.discovery)
            case "/keys":
                return httpx.Response(200, json=KeySet([self.key]).as_dict(private=False))
            case "/token":
                return self._token(request)
        return httpx.Response(404)

    def _token(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        basic = "Basic " + b64encode(b"gongyu+client:s%2Bcret").decode()
        if (
            form.get("code") != "c0de"
            or form.get("redirect_uri") != self.asked["redirect_uri"]
            or s256(form.get("code_verifier", "")) != self.asked["code_challenge"]
            or request.headers.get("authorization") != basic
        ):
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "u-1",
            "aud": "gongyu client",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "employee": "T-007",
        }
        merged = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return httpx.Response(200, json={"access_token": "a", "token_type": "Bearer", "id_token": self.sign(merged)})


@pytest.fixture
def directory() -> Directory:
    return Directory()


def client(directory: Directory, folder: Path, *, slug: str = "ezhou", provider: OidcProvider = PROVIDER) -> OidcClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(directory))
    return OidcClient(provider, http=http, keys=KeyRing.load(Config(data=folder), {}), slug=slug)


async def depart(directory: Directory, folder: Path) -> tuple[str, dict[str, str]]:
    """Go there and sign in: the cookie, and what one comes back with."""
    departure = await client(directory, folder).depart(redirect_uri=BACK, now=datetime.now(UTC))
    return departure.cookie, directory.visit(departure.url)


async def test_coming_back_proves_issuer_and_subject(directory: Directory, tmp_path: Path) -> None:
    cookie, answer = await depart(directory, tmp_path)
    assert directory.asked["tenant"] == "1"
    assert (directory.asked["code_challenge_method"], directory.asked["scope"]) == ("S256", "openid")
    arriving = client(directory, tmp_path)  # another process than the one that sent them off
    found = await arriving.arrive(cookie=cookie, answer=answer, now=datetime.now(UTC))
    assert found == Identity(ISSUER, "u-1", "T-007")
    wary = client(directory, tmp_path, provider=msgspec.structs.replace(PROVIDER, sourced_id_claim=None))
    assert (await wary.arrive(cookie=cookie, answer=answer, now=datetime.now(UTC))).sourced_id is None


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["gongyu client", "another client"]},
        {"aud": ["gongyu client", "another client"], "azp": "another client"},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "u\0"},
        {"sub": "u" * 256},
        {"at_hash": "AAAA"},
    ],
    ids=str,
)
async def test_token_that_says_something_wrong_is_refused(
    directory: Directory, tmp_path: Path, claims: dict[str, Any]
) -> None:
    directory.claims = claims
    cookie, answer = await depart(directory, tmp_path)
    with pytest.raises(OidcError):
        await client(directory, tmp_path).arrive(cookie=cookie, answer=answer, now=datetime.now(UTC))


def _unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps({"alg": "none"}).encode(), json.dumps(claims).encode(), b"")
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _by_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": "1"}, claims, ECKey.generate_key("P-256"))


def _by_the_client_secret(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(b"s+cret" * 6))


@pytest.mark.parametrize("sign", [_unsigned, _by_another_key, _by_the_client_secret, lambda _: "", lambda _: "a.b.c"])
async def test_token_not_signed_by_the_provider_is_refused(
    directory: Directory, tmp_path: Path, sign: Callable[[dict[str, Any]], str]
) -> None:
    directory.sign = sign
    cookie, answer = await depart(directory, tmp_path)
    with pytest.raises(OidcError):
        await client(directory, tmp_path).arrive(cookie=cookie, answer=answer, now=datetime.now(UTC))


async def test_answer_that_this_browser_did_not_ask_for_is_refused(directory: Directory, tmp_path: Path) -> None:
    other_cookie, _ = await depart(directory, tmp_path)
    cookie, answer = await depart(directory, tmp_path)
    now = datetime.now(UTC)
    ezhou, huangshi = client(directory, tmp_path), client(directory, tmp_path, slug="huangshi")
    for door, with_cookie, with_answer, when in (
        (ezhou, None, answer, now),
        (ezhou, "", answer, now),
        (ezhou, "zz", answer, now),
        (ezhou, cookie[:-2] + "00", answer, now),
        (ezhou, other_cookie, answer, now),  # another sign-in of the same browser
        (huangshi, cookie, answer, now),  # another district
        (ezhou, cookie, answer, now + timedelta(minutes=10)),
        (ezhou, cookie, answer | {"state": ""}, now),
        (ezhou, cookie, answer | {"iss": "https://evil.example"}, now),
        (ezhou, cookie, answer | {"code": "another"}, now),
        (ezhou, cookie, {"state": answer["state"], "error": "access_denied"}, now),
    ):
        with pytest.raises(OidcError):
            await door.arrive(cookie=with_cookie, answer=with_answer, now=when)
    assert (await ezhou.arrive(cookie=cookie, answer=answer, now=now)).subject == "u-1"


@pytest.mark.parametrize("change", [{"issuer": "https://evil.example"}, {"token_endpoint": None}, {"jwks_uri": 5}])
async def test_provider_that_does_not_describe_itself_is_refused(
    directory: Directory, tmp_path: Path, change: dict[str, Any]
) -> None:
    directory.discovery = change
    with pytest.raises(OidcError):
        await depart(directory, tmp_path)


async def enter(scene: "Scene", identity: Identity, code: str | None = None) -> SignedInAs:
    door = SignIn(scene.platform, scene.passwords)
    visitor = Visitor(address="203.0.113.7")
    return await door.by_identity(
        scene.state.district, AccessRules(), visitor, identity=identity, code=code, now=scene.clock.now
    )


async def test_identity_is_bound_once_by_code_and_then_opens_by_itself(scene: "Scene") -> None:
    teacher = scene.people.teacher
    identity = Identity(ISSUER, "u-1")
    with pytest.raises(SignInRefusedError):
        await enter(scene, identity)
    with pytest.raises(CodeError):
        await enter(scene, identity, "0000-0000-0000")
    async with scene.work() as session:
        codes = await issue(
            session,
            keys=scene.keys,
            kind="activation",
            persons=[teacher],
            valid=timedelta(days=1),
            by="operator:test",
            now=scene.clock.now,
        )
    through = await enter(scene, identity, codes[teacher])
    found = await scene.authenticator.principal(scene.state, None, through.cookie)
    assert (through.needs, found and found.person) == ("", teacher)
    assert (await enter(scene, identity)).person == teacher
    for stranger in (Identity(ISSUER, "u-2"), Identity("https://evil.example", "u-1"), Identity(ISSUER, "U-1")):
        with pytest.raises(SignInRefusedError):
            await enter(scene, stranger)
    async with scene.work() as session:
        await disable_account(session, person=teacher, by="operator:test")
    with pytest.raises(SignInRefusedError):
        await enter(scene, identity)


async def test_identity_is_found_by_the_rosters_identifier_only_where_the_claim_is_trusted(scene: "Scene") -> None:
    teacher = scene.people.teacher
    await scene.execute(sa.update(Person).where(Person.id == teacher).values(sourced_id="T-007"))
    with pytest.raises(SignInRefusedError):
        await enter(scene, Identity(ISSUER, "u-1", None))
    with pytest.raises(SignInRefusedError):
        await enter(scene, Identity(ISSUER, "u-1", "T-008"))
    assert (await enter(scene, Identity(ISSUER, "u-1", "T-007"))).person == teacher
    assert (await enter(scene, Identity(ISSUER, "u-1", "T-008"))).person == teacher  # bound to the subject by now
    await scene.execute(sa.update(Person).where(Person.id == teacher).values(ended_on=scene.long_ago))
    with pytest.raises(SignInRefusedError):
        await enter(scene, Identity(ISSUER, "u-1", "T-007"))
    with pytest.raises(SignInRefusedError):
        await enter(scene, Identity(ISSUER, "u-9", "T-007"))
    async with scene.work() as session:
        bound = (await session.execute(sa.select(ExternalIdentity.subject))).scalars().all()
    assert list(bound) == ["u-1"]  # a refused sign-in binds nothing

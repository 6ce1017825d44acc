"""API tokens: a named, narrowed, expiring key for a script. The text is shown once and only its hash is kept."""

import difflib
import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.models import ApiToken
from gongyu.database.model import new_id
from gongyu.people.models import Person
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "LONGEST",
    "Token",
    "TokenError",
    "check_known",
    "create_token",
    "credential",
    "credential_digest",
    "district_of",
    "list_tokens",
    "revoke_token",
    "revoke_tokens_of",
]

#: Nobody remembers a key made for ever: a year, and a month to renew it in.
LONGEST: Final = timedelta(days=397)

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH: Final = 43  # of 256 bits in base 62
_CREDENTIAL: Final = re.compile(r"(?P<kind>gy|gs)_(?P<slug>[a-z][a-z0-9]{1,30})_[0-9A-Za-z]{43}", re.ASCII)
_SCOPE: Final = re.compile(r"\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?", re.ASCII)


class TokenError(Exception):
    """The token was not made; the text says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it may be shown: everything but itself."""

    id: UUID
    person: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def credential(kind: str, slug: str) -> str:
    """256 random bits that say what they are (`gy` an API token, `gs` a browser's session) and of which district, so
    that a leaked one is recognised by scanners and refused elsewhere without asking a database.
    """
    number = int.from_bytes(secrets.token_bytes(32), "big")
    digits = ""
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return f"{kind}_{slug}_{digits}"


def district_of(text: str, kind: str) -> str | None:
    """The district a credential of this kind says it is of; None when it is none."""
    found = _CREDENTIAL.fullmatch(text)
    return found["slug"] if found and found["kind"] == kind else None


def credential_digest(text: str) -> bytes:
    """What is kept of a credential. Nothing slower is needed against 256 random bits."""
    return hashlib.sha256(text.encode()).digest()


async def create_token(
    session: AsyncSession,
    *,
    person: UUID,
    name: str,
    scopes: Collection[str],
    expires_at: datetime,
    by: str = "system",
) -> str:
    """Make a token for a person and return its text, which nobody can show again.

    Args:
        session: A district's session.
        person: Whose rights it has, narrowed by the scopes.
        name: What it is for, for the list.
        scopes: Names of permissions, or prefixes such as `points.*`; `*` alone does not narrow.
        expires_at: At most `LONGEST` from now.
        by: Who asked, as the audit log names them.

    Raises:
        TokenError: No such person, no or malformed scopes, a time that is past or too far.
    """
    now = datetime.now(UTC)
    _check(name, scopes, expires_at, now)
    if (await session.execute(sa.select(Person.id).where(Person.id == person))).first() is None:
        raise TokenError(Text(zh="没有这个人：{id}", en="there is no such person: {id}").format(id=person))
    district: District = session.info["district"]
    text = credential("gy", district.slug)
    token = new_id()
    row = sa.insert(ApiToken).values(
        id=token,
        person_id=person,
        name=name.strip(),
        hash=credential_digest(text),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    await session.execute(row)
    details = {"token": str(token), "name": name.strip(), "scopes": sorted(set(scopes)), "expires": f"{expires_at}"}
    await audit.record(session, action="token.created", actor=by, subject=f"person:{person}", details=details)
    return text


async def revoke_token(session: AsyncSession, *, token: UUID, by: str = "system") -> bool:
    """End a token at once; the caller calls `authenticate.changed` after commit.

    Returns:
        Whether there was one to end.
    """
    ended = (
        sa.update(ApiToken)
        .where(ApiToken.id == token, ApiToken.revoked_at.is_(None))
        .values(revoked_at=sa.func.now())
        .returning(ApiToken.person_id)
    )
    person = (await session.execute(ended)).scalar_one_or_none()
    if person is None:
        return False
    details = {"token": str(token)}
    await audit.record(session, action="token.revoked", actor=by, subject=f"person:{person}", details=details)
    return True


async def revoke_tokens_of(session: AsyncSession, *, person: UUID, by: str) -> int:
    """End all tokens of a person; the caller calls `authenticate.changed` after commit."""
    living = sa.select(ApiToken.id).where(ApiToken.person_id == person, ApiToken.revoked_at.is_(None))
    tokens = (await session.execute(living)).scalars().all()
    return sum([await revoke_token(session, token=token, by=by) for token in tokens])


async def list_tokens(session: AsyncSession, *, person: UUID | None = None) -> list[Token]:
    """The tokens of a person, or of everybody, newest first, ended ones too."""
    table = ApiToken.__table__
    columns = [column for column in table.columns if column.name != "hash"]
    query = sa.select(*columns).order_by(table.c.id.desc())
    if person is not None:
        query = query.where(table.c.person_id == person)
    return [
        Token(
            id=row.id,
            person=row.person_id,
            name=row.name,
            scopes=tuple(row.scopes),
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )
        for row in await session.execute(query)
    ]


def check_known(scopes: Collection[str], permissions: Collection[str]) -> None:
    """That each scope opens something: a slip of the finger would make a token that quietly opens nothing.

    Args:
        scopes: As typed.
        permissions: The names of all there are.

    Raises:
        TokenError: A scope is no permission and no beginning of one; the nearest is named.
    """
    names = {*permissions, "people.own"}
    names |= {f"{name.partition('.')[0]}.own" for name in permissions if not name.startswith("district.")}
    parts = {name.split(".")[0] for name in names} | {name.rpartition(".")[0] for name in names}
    known = sorted({"*", *names, *(f"{part}.*" for part in parts)})
    for scope in scopes:
        if not _SCOPE.fullmatch(scope) or scope in known:
            continue  # malformed ones have their own words, in `create_token`
        near = difflib.get_close_matches(scope, known, n=1, cutoff=0) or known
        raise TokenError(
            Text(
                zh="没有 {scope} 这个权限；最接近的是 {near}",
                en="there is no permission {scope}; the nearest is {near}",
            ).format(scope=scope, near=near[0])
        )


def _check(name: str, scopes: Collection[str], expires_at: datetime, now: datetime) -> None:
    if not name.strip() or not name.isprintable():
        raise TokenError(Text(zh="令牌需要可读的名称", en="a token needs a name one can read"))
    if not scopes:
        raise TokenError(
            Text(
                zh="令牌需要范围，如 district.*；不限制请写 *",
                en="a token needs scopes such as district.*; write * to leave it unnarrowed",
            )
        )
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise TokenError(
                Text(
                    zh="范围 {scope} 应为权限名或前缀，如 district.roster.manage 或 district.*",
                    en="scope {scope} is neither a permission's name nor a prefix such as district.*",
                ).format(scope=repr(scope))
            )
    if expires_at.tzinfo is None or not now < expires_at <= now + LONGEST:
        raise TokenError(
            Text(
                zh="到期时间须带时区，在此刻之后、{days} 天之内",
                en="the expiry must name its zone and lie within the next {days} days",
            ).format(days=LONGEST.days)
        )

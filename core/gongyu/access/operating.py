"""What an operator at the terminal does about people: name one in their own words, make the first, hand out a code."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import accounts, audit, codes
from gongyu.access.keys import KeyRing
from gongyu.access.models import Account
from gongyu.access.relations import holds
from gongyu.access.rules import AccessRules
from gongyu.access.sealing import Seals
from gongyu.access.sign_in import day_of
from gongyu.database.model import new_id
from gongyu.people.models import ClassGroup, Membership, Org, Person
from gongyu.people.private import stored_id
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "AccountLine",
    "Handed",
    "NotFoundError",
    "add_person",
    "find_class",
    "find_org",
    "find_person",
    "hand_out_code",
    "list_accounts",
]


class NotFoundError(LookupError):
    """Nobody, or more than one, is meant; the text says which."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Handed(msgspec.Struct, frozen=True):
    """A code to be handed over, and until when it opens."""

    code: str
    expires_at: datetime


class AccountLine(msgspec.Struct, frozen=True, kw_only=True):
    """A person as `gongyu user list` shows them."""

    id: UUID
    name: str
    username: str | None
    state: str | None
    roles: str
    second_factor: bool
    last_sign_in_at: datetime | None


async def find_person(session: AsyncSession, said: str, *, keys: KeyRing) -> UUID:
    """A person by id, user name, the roster's `sourcedId`, or an identifier of the school's.

    Raises:
        NotFoundError: Nobody, or several.
    """
    district: District = session.info["district"]
    seals = Seals(keys, district.slug)
    ways = [
        Account.username == accounts.folded(said),
        Person.sourced_id == stored_id(seals, said),
        Person.identifier_hash == seals.hashed(said, purpose="identifier"),
    ]
    if (id_ := _uuid(said)) is not None:
        ways.insert(0, Person.id == id_)
    found = sa.select(Person.id, Person.name).outerjoin(Account, Account.person_id == Person.id).where(sa.or_(*ways))
    return _one(Text(zh="人", en="person"), said, (await session.execute(found.limit(6))).all())


async def find_org(session: AsyncSession, said: str | None) -> UUID:
    """An org by id, `sourcedId`, identifier or name; the district itself when nothing is said.

    Raises:
        NotFoundError: None, or several.
    """
    found = sa.select(Org.id, Org.name)
    if said is None:
        root = sa.select(Org.id).where(Org.parent_id.is_(None), Org.type == "district")
        return (await session.execute(root)).scalar_one()
    ways = [Org.sourced_id == said, Org.identifier == said, Org.name == said]
    if (id_ := _uuid(said)) is not None:
        ways.insert(0, Org.id == id_)
    return _one(Text(zh="机构", en="org"), said, (await session.execute(found.where(sa.or_(*ways)).limit(6))).all())


async def find_class(session: AsyncSession, said: str) -> UUID:
    """A class that is not over, by id, `sourcedId`, code or title.

    Raises:
        NotFoundError: None, or several: say which by its id.
    """
    ways = [ClassGroup.sourced_id == said, ClassGroup.code == said, ClassGroup.title == said]
    if (id_ := _uuid(said)) is not None:
        ways.insert(0, ClassGroup.id == id_)
    found = (
        sa.select(ClassGroup.id, (Org.name + " " + ClassGroup.title).label("name"))
        .join(Org, Org.id == ClassGroup.school_id)
        .where(sa.or_(*ways), ClassGroup.ended_on.is_(None))
    )
    return _one(Text(zh="班级", en="class"), said, (await session.execute(found.limit(6))).all())


async def add_person(session: AsyncSession, *, name: str, role: str, org: UUID, by: str, now: datetime) -> UUID:
    """Somebody no roster knows: the first administrator, a clerk, the account of a script."""
    district: District = session.info["district"]
    person = new_id()
    await session.execute(sa.insert(Person).values(id=person, name=name))
    row = {"person_id": person, "org_id": org, "role": role, "begins_on": day_of(district, now)}
    await session.execute(sa.insert(Membership).values(id=new_id(), **row))
    details = {"role": role, "org": str(org)}
    await audit.record(session, action="person.added", actor=by, subject=f"person:{person}", details=details)
    return person


async def hand_out_code(
    session: AsyncSession, *, keys: KeyRing, rules: AccessRules, person: UUID, by: str, now: datetime
) -> Handed:
    """A code that gives a person their account, or a new password to the account they have."""
    valid = timedelta(days=rules.code_days)
    issued = await codes.issue(session, keys=keys, kind="activation", persons=[person], valid=valid, by=by, now=now)
    return Handed(issued[person], now + valid)


async def list_accounts(
    session: AsyncSession, *, role: str | None = None, org: UUID | None = None, limit: int, now: datetime
) -> list[AccountLine]:
    """People with a role today, or with an account, by name."""
    district: District = session.info["district"]
    held = (
        sa.select(Membership.person_id, sa.func.string_agg(Membership.role.distinct(), ", ").label("roles"))
        .where(holds(Membership, day_of(district, now)))
        .group_by(Membership.person_id)
    )
    narrowed = role is not None or org is not None
    if role is not None:
        held = held.where(Membership.role == role)
    if org is not None:
        held = held.where(Membership.org_id == org)
    roles = held.subquery("held")
    found = (
        sa.select(
            Person.id,
            Person.name,
            Account.username,
            Account.state,
            sa.func.coalesce(roles.c.roles, "").label("roles"),
            Account.totp_since.is_not(None).label("second_factor"),
            Account.last_sign_in_at,
        )
        .join(roles, roles.c.person_id == Person.id, isouter=not narrowed)
        .outerjoin(Account, Account.person_id == Person.id)
        .where(sa.or_(roles.c.person_id.is_not(None), Account.person_id.is_not(None)))
        .order_by(Person.name, Person.id)
        .limit(limit)
    )
    return [AccountLine(**row._mapping) for row in await session.execute(found)]  # noqa: SLF001 - SQLAlchemy's public name for it


def _one(what: Text, said: str, rows: Sequence[Any]) -> UUID:
    if len(rows) == 1:
        id_: UUID = rows[0].id
        return id_
    if not rows:
        raise NotFoundError(
            Text(zh="没有{what} `{said}`", en="there is no {what} `{said}`").format(what=what, said=said)
        )
    several = Text(
        zh="`{said}` 可指多个{what}，请用其 id：{ids}", en="`{said}` may mean more than one {what}; say its id: {ids}"
    )
    raise NotFoundError(several.format(what=what, said=said, ids=", ".join(f"{row.id} ({row.name})" for row in rows)))


def _uuid(said: str) -> UUID | None:
    try:
        return UUID(said)
    except ValueError:
        return None

"""The slips of a class: who gets one, with a fresh code each."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import codes
from gongyu.access.codes import Kind
from gongyu.access.keys import KeyRing
from gongyu.access.models import Account
from gongyu.access.relations import holds, people_of
from gongyu.access.rights import Verdict
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import day_of
from gongyu.people.models import ClassGroup, Enrolment, Org, Person
from gongyu.plugin import District
from gongyu.text import Text

if TYPE_CHECKING:
    from gongyu.access.slips import Slip

__all__ = ["EVERYWHERE", "UnknownClassError", "class_slips", "join_url", "printed"]

#: For an operator at the terminal.
EVERYWHERE: Final = Verdict(allowed=True, ground=Text(zh="运维", en="operator"), orgs=None)


class UnknownClassError(LookupError):
    """No such class within reach."""


def join_url(base: str, slug: str, code: str) -> str:
    """Where a slip leads. The code stands behind the `#`, which no browser sends and no server logs."""
    return f"{base}/{slug}/join#{code}"


async def class_slips(
    session: AsyncSession,
    *,
    keys: KeyRing,
    rules: AccessRules,
    given: Verdict,
    class_id: UUID,
    kind: Kind,
    base: str,
    by: str,
    now: datetime,
) -> "Sequence[Slip]":
    """Issue codes for the pupils of a class: `activation` for those without an account, `guardian` for the parents of
    all. Earlier codes of theirs open nothing any more.

    Raises:
        UnknownClassError: No such class, or not within the orgs of the verdict.
    """
    from gongyu.access.slips import Slip  # noqa: PLC0415 - the printing press is loaded where something is printed

    district: District = session.info["district"]
    today = day_of(district, now)
    found = sa.select(ClassGroup.title, Org.name).join(Org, Org.id == ClassGroup.school_id)
    if given.orgs is not None:
        found = found.where(ClassGroup.school_id.in_(given.orgs))
    place = (await session.execute(found.where(ClassGroup.id == class_id))).first()
    if place is None or not given.allowed:
        raise UnknownClassError(class_id)
    pupils = (
        sa.select(Person.id, Person.name, Enrolment.number)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.class_id == class_id, Enrolment.role == "student", holds(Enrolment, today))
        .where(
            sa.or_(Person.ended_on.is_(None), Person.ended_on >= today), Person.id.in_(people_of(given, today=today))
        )
    )
    if kind == "activation":
        pupils = pupils.where(~sa.exists().where(Account.person_id == Person.id))
    rows = list({row.id: row for row in await session.execute(pupils)}.values())
    valid = timedelta(days=rules.code_days)
    issued = await codes.issue(
        session, keys=keys, kind=kind, persons=[row.id for row in rows], valid=valid, by=by, now=now
    )
    return [
        Slip(
            name=row.name,
            school=place.name,
            class_name=place.title,
            hint=row.number or "",
            code=issued[row.id],
            url=join_url(base, district.slug, issued[row.id]),
            expires_at=(now + valid).astimezone(ZoneInfo(district.timezone)),
        )
        for row in rows
    ]


async def printed(slips: "Sequence[Slip]", *, kind: Kind, created: datetime) -> bytes:
    """As a PDF, set beside the other requests: a class takes a good part of a second."""
    from gongyu.access.slips import print_slips  # noqa: PLC0415 - as above

    return await asyncio.to_thread(print_slips, slips, kind=kind, created=created)

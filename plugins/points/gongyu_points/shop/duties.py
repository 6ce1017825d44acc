"""Duty in a shop run by pupils: whoever is on duty hands out and sells there, sets no price and no stock, and is
nobody special again when the time is over.
"""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.people.models import Person
from gongyu.plugin import Context, District, Text
from gongyu.web import Paged, ProblemError
from gongyu_points.books import read, run
from gongyu_points.schools import is_at
from gongyu_points.shop.models import Duty
from gongyu_points.shop.schemas import DutyOut, NewDuty
from gongyu_points.shop.shops import require_shop

__all__ = ["DUTIES", "end", "give", "on_duty"]

_LONGEST: Final = timedelta(days=31)

_INSERT: Final = """
INSERT INTO {s}.points_duty (id, shop_id, person_id, begins_at, ends_at, given_by)
SELECT $1::uuid, $2::uuid, $3::uuid, $4::timestamptz, $5::timestamptz, $6::uuid ON CONFLICT (id) DO NOTHING"""

_FIND: Final = """
SELECT d.id, d.shop_id, d.person_id, p.name, d.begins_at, d.ends_at FROM {s}.points_duty AS d
  JOIN {s}.person AS p ON p.id = d.person_id WHERE d.id = $1::uuid"""

# The database's clock decides, as it does for everybody.
_ON_DUTY: Final = """
SELECT 1 FROM {s}.points_duty AS d JOIN {s}.points_shop AS s ON s.id = d.shop_id
 WHERE d.shop_id = $1::uuid AND d.person_id = $2::uuid AND d.begins_at <= now() AND d.ends_at > now()
   AND EXISTS (SELECT 1 FROM {s}.membership AS m
                WHERE m.org_id = s.org_id AND m.person_id = d.person_id
                  AND m.begins_on <= $3::date AND (m.ends_on IS NULL OR m.ends_on >= $3::date))"""

_END: Final = """
UPDATE {s}.points_duty SET ends_at = greatest(now(), begins_at + interval '1 second')
 WHERE id = $1::uuid AND ends_at > now()"""

_NEWEST: Final = sa.cast(-sa.extract("epoch", Duty.begins_at) * 1000, sa.BigInteger()).label("place")


def _out(row: asyncpg.Record) -> DutyOut:
    return DutyOut(row["id"], row["shop_id"], row["person_id"], row["name"], row["begins_at"], row["ends_at"])


#: Of one shop, latest first.
DUTIES: Final = Paged(
    sa.select(Duty.id, Duty.shop_id, Duty.person_id, Person.name, Duty.begins_at, Duty.ends_at, _NEWEST)
    .join(Person, Person.id == Duty.person_id)
    .where(Duty.shop_id == sa.bindparam("shop", type_=sa.Uuid())),
    key=[_NEWEST, Duty.id],
    row=_out,
)


async def give(context: Context, *, shop: UUID, new: NewDuty, by: UUID, orgs: frozenset[UUID] | None) -> DutyOut:
    """Put somebody of the school on duty.

    Raises:
        ProblemError: `invalid` for somebody of another school, or a period that is none or longer than a month.
    """
    row = await require_shop(await context.session.connection(), context.district, shop, orgs=orgs)
    wrong: list[tuple[str, Text]] = []
    if not await is_at(context, person=new.person, org=row.org_id):
        wrong.append(("/person", Text(zh="不是本校的人", en="they are not of this school")))
    for name, moment in (("begins_at", new.begins_at), ("ends_at", new.ends_at)):
        if moment.tzinfo is None:
            wrong.append((f"/{name}", Text(zh="应带时区", en="a time zone is expected")))
    if not wrong and not timedelta() < new.ends_at - new.begins_at <= _LONGEST:
        text = Text(zh="应晚于开始，且不超过 {n} 天", en="it must be after the beginning, by {n} days at most")
        wrong.append(("/ends_at", text.format(n=_LONGEST.days)))
    if wrong:
        raise ProblemError("invalid", errors=wrong)
    await run(context.session, _INSERT, new.id, shop, new.person, new.begins_at, new.ends_at, by)
    made = (await run(context.session, _FIND, new.id))[0]
    if (made.shop_id, made.person_id) != (shop, new.person):
        raise ProblemError("idempotency-mismatch")
    return DutyOut(*made)


async def end(context: Context, *, duty: UUID, orgs: frozenset[UUID] | None) -> DutyOut:
    """End a duty before its time."""
    rows = await run(context.session, _FIND, duty)
    if not rows:
        raise ProblemError("not-found")
    await require_shop(await context.session.connection(), context.district, rows[0].shop_id, orgs=orgs)
    await run(context.session, _END, duty)
    return DutyOut(*(await run(context.session, _FIND, duty))[0])


async def on_duty(connection: AsyncConnection, district: District, *, shop: UUID, person: UUID, today: date) -> bool:
    """Now, and still of the school: who has left it serves no longer, whatever was planned."""
    return bool(await read(connection, district, _ON_DUTY, shop, person, today))

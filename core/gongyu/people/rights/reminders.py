"""Those who answer requests are told in time, and once more when the time is over (个人信息保护法 50).

A reminder is an event with ids alone, so that whatever a district uses to reach people can carry it; a request that is
late is also written to the audit log, and shown by `gongyu doctor` and in the list of requests.
"""

from datetime import date, time, timedelta
from typing import Final, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access import audit
from gongyu.events import outbox
from gongyu.people.events import RightsRequestDue
from gongyu.people.rights.models import RightsRequest
from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Job
from gongyu.text import Text

__all__ = ["REMINDERS", "Waiting", "remind", "waiting"]

#: A working week to answer in.
NEAR: Final = timedelta(days=7)
_OPEN: Final = RightsRequest.state == "open"


class Waiting(NamedTuple):
    """How many open requests are due within a week, and how many are late."""

    due_soon: int
    overdue: int


async def waiting(connection: AsyncConnection, *, today: date) -> Waiting:
    late = RightsRequest.due_on < today
    near = sa.and_(~late, RightsRequest.due_on <= today + NEAR)
    counted = sa.select(sa.func.count().filter(near), sa.func.count().filter(late)).where(_OPEN)
    return Waiting(*(await connection.execute(counted)).one())


async def remind(context: Context) -> None:
    """Tell of each open request once that it is due within a week, and once that it is late."""
    today = today_in(context.district, context.now)
    late = RightsRequest.due_on < today
    told: list[tuple[Literal["overdue", "due_soon"], sa.ColumnElement[bool]]] = [
        ("overdue", sa.and_(late, RightsRequest.reminded.is_distinct_from("overdue"))),
        ("due_soon", sa.and_(~late, RightsRequest.due_on <= today + NEAR, RightsRequest.reminded.is_(None))),
    ]
    for stage, which in told:
        marked = sa.update(RightsRequest).where(_OPEN, which).values(reminded=stage)
        rows = await context.session.execute(
            marked.returning(RightsRequest.id, RightsRequest.person_id, RightsRequest.due_on),
            execution_options={"synchronize_session": False},
        )
        found = rows.all()
        events = [
            (RightsRequestDue(request=row.id, due_on=row.due_on, overdue=stage == "overdue"), row.id) for row in found
        ]
        await outbox.publish_all(context.session, events)
        lines = [
            audit.Line(
                action="request.overdue",
                actor="system",
                subject=f"person:{row.person_id}",
                details={"request": row.id, "due_on": row.due_on},
            )
            for row in found
            if stage == "overdue"
        ]
        if lines:
            await audit.record_all(context.session, lines)


#: Before people come to work.
REMINDERS: Final = Job(
    name="remind_of_requests",
    title=Text(zh="提醒即将到期的更正与删除请求", en="Remind of requests for correction and erasure"),
    run=remind,
    every="daily",
    at=time(7, 0),
)

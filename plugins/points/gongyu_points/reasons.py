"""What points are given for: the district's own list, each reason mapped to one of the five dimensions."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.database.model import new_id
from gongyu.plugin import District
from gongyu_points.books import read, run
from gongyu_points.schemas import NewReason, ReasonOut

__all__ = ["all_reasons", "begin", "put"]

#: To begin with; a district changes the words, retires what it does not want and adds its own.
_FIRST: Final = (
    NewReason("helps_others", "助人为乐", "Helps others", "moral"),
    NewReason("honest", "诚实守信", "Honest", "moral"),
    NewReason("polite", "文明礼貌", "Polite", "moral"),
    NewReason("progress", "学习进步", "Makes progress", "intellectual"),
    NewReason("good_question", "善思好问", "Asks a good question", "intellectual"),
    NewReason("reading", "乐于阅读", "Reads", "intellectual"),
    NewReason("exercise", "坚持锻炼", "Keeps exercising", "physical"),
    NewReason("team_spirit", "团队拼搏", "Plays for the team", "physical"),
    NewReason("arts", "艺术展示", "Shows their art", "aesthetic"),
    NewReason("tidy", "环境整洁", "Keeps the place tidy", "labour"),
    NewReason("volunteer", "志愿服务", "Volunteers", "labour"),
)

_PUT: Final = """
INSERT INTO {s}.points_reason (id, code, zh, en, dimension, active)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::boolean)
ON CONFLICT (code) DO """


async def put(session: AsyncSession, *, reason: NewReason) -> ReasonOut:
    """Add a reason, or change its words; the entries keep pointing to it."""
    change = "UPDATE SET zh = excluded.zh, en = excluded.en, dimension = excluded.dimension, active = excluded.active"
    await run(session, _PUT + change, *_values(reason))
    return ReasonOut(reason.code, reason.zh, reason.en, reason.dimension, reason.active)


async def begin(session: AsyncSession) -> None:
    """The first list; what a district has changed since stays."""
    for reason in _FIRST:
        await run(session, _PUT + "NOTHING", *_values(reason))


async def all_reasons(connection: AsyncConnection, district: District) -> list[ReasonOut]:
    rows = await read(
        connection, district, "SELECT code, zh, en, dimension, active FROM {s}.points_reason ORDER BY dimension, code"
    )
    return [ReasonOut(*row) for row in rows]


def _values(reason: NewReason) -> tuple[object, ...]:
    return (new_id(), reason.code, reason.zh, reason.en, reason.dimension, reason.active)

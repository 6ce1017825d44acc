"""A summary of the term begins with what is known already: which talks there were, and what was promised and kept."""

from collections import Counter
from datetime import timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu_mentor.talks.calendar import Span
from gongyu_mentor.talks.models import Promise, PromiseEnd, Talk
from gongyu_mentor.talks.readers import is_newest

__all__ = ["drafted"]

_KINDS: Final = {
    "weekly": "日常谈心",
    "key_moment": "关键时刻谈心",
    "home_visit": "家访",
    "message": "成长寄语",
}


async def drafted(source: AsyncConnection, *, student: UUID, school: UUID, mentor: UUID, term: Span, zone: str) -> str:
    """Counts and days, no sentence of any talk: what was said in confidence does not slip into a summary by itself,
    which a later mentor may read.
    """
    day = ZoneInfo(zone)
    talks = sa.select(Talk.kind, Talk.happened_at).where(
        Talk.student_id == student,
        Talk.school_id == school,
        Talk.author_id == mentor,
        ~Talk.withdrawn,
        is_newest(Talk),
        Talk.happened_at >= term.begins - timedelta(days=1),
        Talk.happened_at < term.ends + timedelta(days=2),
    )
    days: dict[str, list[str]] = {}
    for row in await source.execute(talks.order_by(Talk.happened_at)):
        on = row.happened_at.astimezone(day).date()
        if term.begins <= on <= term.ends:
            days.setdefault(row.kind, []).append(f"{on.month}月{on.day}日")
    lines = [f"{_KINDS[kind]} {len(found)} 次（{'、'.join(found)}）" for kind, found in days.items()]
    ended = (
        sa.select(PromiseEnd.outcome)
        .select_from(Promise)
        .outerjoin(PromiseEnd, PromiseEnd.promise_id == Promise.id)
        .where(
            Promise.student_id == student,
            Promise.made_at >= term.begins,
            Promise.made_at < term.ends + timedelta(days=1),
        )
    )
    outcomes = Counter(row.outcome for row in await source.execute(ended))
    if outcomes:
        lines.append(f"约定 {outcomes.total()} 件，已兑现 {outcomes['kept']} 件")
    return "；".join(lines) + "。" if lines else ""

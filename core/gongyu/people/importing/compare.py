"""The comparison of a roster with a district, from what others refer to down to who is whose guardian."""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access.keys import KeyRing
from gongyu.access.sealing import Seals
from gongyu.people.importing.comparing import Comparison, Progress
from gongyu.people.importing.masking import masked
from gongyu.people.importing.persons import compare_persons
from gongyu.people.importing.plan import Plan
from gongyu.people.importing.relations import (
    compare_care,
    compare_enrolments,
    compare_guardianships,
    compare_memberships,
)
from gongyu.people.importing.things import compare_classes, compare_orgs, compare_sessions
from gongyu.people.models import Org
from gongyu.people.roster.canonical import Roster
from gongyu.plugin import District

__all__ = ["make_plan"]

_ORDER = {"error": 0, "warning": 1, "notice": 2}


async def make_plan(session: AsyncSession, roster: Roster, *, keys: KeyRing, today: date, progress: Progress) -> Plan:
    """What the roster would change. Reads only; the plan holds for this transaction and is thrown away with it."""
    district: District = session.info["district"]
    top = sa.select(Org.id).where(Org.parent_id.is_(None), Org.type == "district").order_by(Org.id).limit(1)
    seals = Seals(keys, district.slug)
    roster, private = masked(roster, seals=seals)
    plan = Plan(roster=roster, today=today, root=(await session.execute(top)).scalar_one(), private=private)
    work = Comparison(session=session, seals=seals, roster=roster, plan=plan, progress=progress)
    for compare in (
        compare_orgs,
        compare_sessions,
        compare_classes,
        compare_persons,
        compare_memberships,
        compare_enrolments,
        compare_guardianships,
        compare_care,
    ):
        await compare(work)
    findings = [*roster.findings, *work.remarks.close()]
    plan.findings = tuple(sorted(findings, key=lambda one: (_ORDER[one.severity], -one.blocks)))
    return plan

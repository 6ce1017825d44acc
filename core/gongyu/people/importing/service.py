"""Importing a roster: read, compare, and when it is to be so, change everything in one transaction.

Order of an import: the files are read without a transaction; then, in one transaction and taking turns with other
imports of the district, comparison, changes, events, the audit line and the import's own row. Killed before the commit
there was no import, after it there was a whole one.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.authenticate import changed
from gongyu.events import outbox
from gongyu.people.importing.apply import carry_out
from gongyu.people.importing.compare import make_plan
from gongyu.people.importing.comparing import Progress
from gongyu.people.importing.happenings import Standing, standing, tell
from gongyu.people.importing.plan import Plan, RemovalLimit, Tally
from gongyu.people.importing.tracking import Tracker, register
from gongyu.people.roster import BUILT_IN, Dialect, Finding, Roster, read
from gongyu.people.roster.canonical import GUARDIAN_ROLES
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["LIMIT", "ImportReport", "import_roster", "is_empty", "plan_roster", "run_import"]

log = structlog.get_logger("gongyu.roster")

LIMIT: Final = RemovalLimit()
_PUPILS: Final = Text(zh="学生", en="pupils")
_GUARDIANS: Final = Text(zh="家长", en="guardians")
_STAFF: Final = Text(zh="教职工", en="staff")


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import.

    Attributes:
        id: Of the stored row.
        dialect: The format it was; empty when it was none that is known.
        refused: Why nothing was changed; None when the import went through, even if there was nothing to change.
        counts: What was added, in the words of a school: schools, classes, pupils, guardians, staff.
        changes: What was added, changed and ended, kind by kind.
        removals: Ends without a successor; the number that confirms them.
        findings: Everything wrong, what blocks most first.
        events: How many events plugins will hear.
    """

    id: UUID
    dialect: str
    refused: Text | None = None
    counts: list[tuple[Text, int]] = []
    changes: list[Tally] = []
    removals: int = 0
    confirmation_needed: bool = False
    findings: tuple[Finding, ...] = ()
    events: int = 0


async def import_roster(
    platform: Platform,
    slug: str,
    path: Path,
    *,
    actor: str,
    dialect: str | None = None,
    confirm_removals: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> ImportReport:
    """Make the district what the roster says.

    Args:
        platform: Opened.
        slug: The district.
        path: A zip, a folder or a file.
        actor: For the audit log.
        dialect: The format; None to find it out.
        confirm_removals: How many may end, where more end than `LIMIT` lets pass; must be the exact number.
        progress: Told the stage, how much of it is done, and of how much (0: unknown).

    Raises:
        UnknownDistrictError: No such district.
    """
    district = platform.state(slug).district
    async with platform.database.work(district) as session:
        id_ = await register(session, file=path.name, dialect=dialect, actor=actor)
    return await run_import(
        platform,
        slug,
        path,
        id_=id_,
        actor=actor,
        dialect=dialect,
        confirm_removals=confirm_removals,
        progress=progress,
    )


def _dialects(platform: Platform, slug: str) -> list[Dialect]:
    """The built-in ones, and those of the plugins that are on."""
    plugins = platform.host.plugins
    return [*BUILT_IN, *(one for name in platform.state(slug).enabled for one in plugins[name].dialects)]


async def plan_roster(
    platform: Platform,
    slug: str,
    path: Path,
    *,
    dialect: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """What the import would change, in full; changes nothing and leaves no trace."""
    district = platform.state(slug).district
    roster = await asyncio.to_thread(read, path, dialects=_dialects(platform, slug), dialect=dialect)
    async with platform.database.work(district) as session:
        return await _planned(platform, session, roster, progress or _silent)


async def run_import(
    platform: Platform,
    slug: str,
    path: Path,
    *,
    id_: UUID,
    actor: str,
    dialect: str | None = None,
    confirm_removals: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    apply: bool = True,
) -> ImportReport:
    """An import that is registered already; `apply=False` stops at the plan and stores its figures."""
    district = platform.state(slug).district
    tracker = Tracker(platform.database, district, id_, progress)
    async with tracker.running():
        tracker.progress("reading", 0, 0)
        roster = await asyncio.to_thread(read, path, dialects=_dialects(platform, slug), dialect=dialect)
        if is_empty(roster):
            nothing = Text(
                zh="没有可以导入的名册，什么都没有改变", en="there is no roster to import; nothing was changed"
            )
            report = ImportReport(id=id_, dialect=roster.dialect, refused=nothing, findings=roster.findings)
            async with platform.database.work(district) as session:
                await tracker.finish(session, state="refused", **_stored(report, roster))
            return report
        async with outbox.work(platform, district) as session:
            # Imports of one district take turns; a statement of its own, as Citus wants it (citus.md R13).
            await session.execute(sa.text("SELECT pg_advisory_xact_lock(7095, :number)"), {"number": district.number})
            plan = await _planned(platform, session, roster, tracker.progress)
            report = _report(id_, plan, confirm_removals if apply else plan.removals)
            if not apply or report.refused is not None:
                state = "refused" if apply else "planned"
                await tracker.finish(session, state=state, **_stored(report, roster))
                return report
            report = await _carry_out(platform, session, plan, report, tracker.progress)
            await tracker.finish(session, state="applied", **_stored(report, roster))
            await _record(session, report, roster, actor)
        if report.events or any(tally.added or tally.changed or tally.ended for tally in report.changes):
            await changed(platform, slug)  # who may do what is different from now on
        tracker.progress("done", 1, 1)
    log.info("roster imported", district=slug, id=str(id_), dialect=report.dialect, events=report.events)
    return report


def is_empty(roster: Roster) -> bool:
    """Whether there is nothing in it to go by: no known format, or no row that could be taken over."""
    told = (roster.orgs, roster.classes, roster.persons, roster.memberships, roster.enrolments, roster.demographics)
    return not roster.dialect or not any((*told, roster.sessions, roster.guardianships, roster.care))


def _silent(stage: str, done: int, total: int) -> None:
    pass


async def _planned(platform: Platform, session: AsyncSession, roster: Roster, progress: Progress) -> Plan:
    district: District = session.info["district"]
    today = datetime.now(UTC).astimezone(ZoneInfo(district.timezone)).date()
    progress("planning", 0, 0)
    return await make_plan(session, roster, keys=platform.keys, today=today, progress=progress)


def _report(id_: UUID, plan: Plan, confirmed: int | None) -> ImportReport:
    needed = plan.needs_confirmation(LIMIT)
    refused = None
    if needed and confirmed != plan.removals:
        refused = Text(
            zh="这份名册会结束 {n} 条记录，超过了不经确认可以结束的数量，什么都没有改变；"
            "核对无误后请用这个数确认（confirm_removals = {n}）。",
            en="This roster would end {n} records, more than may end unconfirmed; nothing was changed. "
            "If that is right, confirm with this number (confirm_removals = {n}).",
        ).format(n=plan.removals)
    return ImportReport(
        id=id_,
        dialect=plan.roster.dialect,
        refused=refused,
        counts=_counts(plan),
        changes=plan.tallies,
        removals=plan.removals,
        confirmation_needed=needed,
        findings=plan.findings,
    )


def _counts(plan: Plan) -> list[tuple[Text, int]]:
    roles: dict[str, set[str]] = {}
    for one in (*plan.roster.memberships, *plan.added["membership"]):
        roles.setdefault(one.person, set()).add(one.role)
    ties = {tie.guardian for tie in plan.roster.guardianships}
    pupils = guardians = staff = 0
    for person in plan.added["person"]:
        held = roles.get(person.sourced_id, set())
        pupils += "student" in held
        guardians += "student" not in held and bool(held & GUARDIAN_ROLES or person.sourced_id in ties)
        staff += bool(held - GUARDIAN_ROLES - {"student"})
    schools = sum(org.type == "school" for org in plan.added["org"])
    classes = len(plan.added["class"])
    return [
        (Text(zh="学校", en="schools"), schools),
        (Text(zh="班级", en="classes"), classes),
        (_PUPILS, pupils),
        (_GUARDIANS, guardians),
        (_STAFF, staff),
    ]


async def _carry_out(
    platform: Platform, session: AsyncSession, plan: Plan, report: ImportReport, progress: Progress
) -> ImportReport:
    new = {plan.ids["person"][one.sourced_id] for one in plan.added["person"]}
    before = await standing(session, plan.touched - new, today=plan.today) if plan.touched else Standing()
    await carry_out(session, plan, keys=platform.keys, progress=progress)
    after = await standing(session, plan.touched, today=plan.today)
    events = await tell(session, plan, before, after, progress=progress)
    return msgspec.structs.replace(report, events=events)


def _stored(report: ImportReport, roster: Roster) -> Mapping[str, Any]:
    return {
        "dialect": report.dialect or None,
        "mode": roster.mode if report.dialect else None,
        "counts": msgspec.to_builtins(report.changes),
        "removals": report.removals,
        "confirm_removals": report.confirmation_needed,
        "reason": msgspec.to_builtins(report.refused) if report.refused else None,
        "findings": report.findings,
    }


async def _record(session: AsyncSession, report: ImportReport, roster: Roster, actor: str) -> None:
    details: dict[str, Any] = {"dialect": roster.dialect, "mode": roster.mode, "removals": report.removals}
    details |= {tally.kind: [tally.added, tally.changed, tally.ended] for tally in report.changes}
    await audit.record(session, action="roster.imported", actor=actor, subject=f"import:{report.id}", details=details)

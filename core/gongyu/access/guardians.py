"""Who is whose guardian, as people settle it: by a slip of paper, or an operator with the court's paper on the desk.

Nothing is forgotten: each change begins a new period. What was settled here is no roster's any more, so that the
silence of one ends none of it (`from_roster`).
"""

from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import audit
from gongyu.access.relations import holds
from gongyu.access.rights import FAMILY
from gongyu.database.model import new_id
from gongyu.events import outbox
from gongyu.people.events import GuardianLinked, GuardianUnlinked
from gongyu.people.models import Guardianship, Membership
from gongyu.people.roster.canonical import GuardianshipKind
from gongyu.text import Text

__all__ = ["GuardianError", "add", "end", "forbid", "has_ban", "is_on", "link", "was_parted"]


class GuardianError(Exception):
    """It cannot be so; nothing has changed."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def _between(guardian: UUID, student: UUID) -> sa.ColumnElement[bool]:
    return sa.and_(Guardianship.guardian_id == guardian, Guardianship.student_id == student)


async def is_on(session: AsyncSession, *, guardian: UUID, student: UUID, today: date) -> bool:
    """Whether they are the child's guardian today, in contact or not."""
    found = sa.select(Guardianship.id).where(_between(guardian, student), holds(Guardianship, today))
    return (await session.execute(found)).first() is not None


async def was_parted(session: AsyncSession, *, guardian: UUID, student: UUID) -> bool:
    """Whether the last word about the two is that a person parted them. A roster that ended the bond has not: it only
    went silent, as it does when a child leaves, and leaves the contact as it was.
    """
    last = sa.select(Guardianship.contact_allowed).where(_between(guardian, student))
    allowed = (await session.execute(last.order_by(Guardianship.begins_on.desc()).limit(1))).scalar_one_or_none()
    return allowed is False


async def has_ban(session: AsyncSession, *, student: UUID, today: date) -> bool:
    """Whether somebody may not have contact with the child."""
    bans = sa.select(Guardianship.id).where(
        Guardianship.student_id == student, ~Guardianship.contact_allowed, holds(Guardianship, today)
    )
    return (await session.execute(bans.limit(1))).first() is not None


async def link(session: AsyncSession, *, guardian: UUID, student: UUID, kind: GuardianshipKind, today: date) -> None:
    """A new period from today, in the schools of the child too: roles hang on memberships.

    Whether they are the *legal* guardian is left open (None): the school confirms that on paper.
    """
    others = sa.select(sa.func.count()).where(Guardianship.student_id == student, holds(Guardianship, today))
    priority = (await session.execute(others)).scalar_one() + 1
    await _begin(session, guardian, student, kind=kind, contact_allowed=True, priority=priority, today=today)
    await _join_schools(session, guardian, student, today)
    await outbox.publish(session, GuardianLinked(guardian=guardian, student=student), subject=student)


async def add(
    session: AsyncSession, *, guardian: UUID, student: UUID, kind: GuardianshipKind, by: str, today: date
) -> None:
    """Make somebody a guardian by hand; it also lifts a ban. The caller calls `authenticate.changed` after commit.

    Raises:
        GuardianError: They are one already, they are one person, or the child is no pupil here.
    """
    pupil = sa.select(Membership.id).where(
        Membership.person_id == student, Membership.role == "student", holds(Membership, today)
    )
    if guardian == student or (await session.execute(pupil.limit(1))).first() is None:
        raise GuardianError(Text(zh="孩子须是在校学生", en="the child must be a pupil of a school here"))
    bond = sa.select(Guardianship.id).where(
        _between(guardian, student), holds(Guardianship, today), Guardianship.contact_allowed
    )
    if (await session.execute(bond)).first() is not None:
        raise GuardianError(Text(zh="已是这个孩子的监护人", en="they are a guardian of the child already"))
    await _stop(session, guardian, student, today)
    await link(session, guardian=guardian, student=student, kind=kind, today=today)
    await _note(session, "guardian.added", guardian, student, by, kind=kind)


async def end(session: AsyncSession, *, guardian: UUID, student: UUID, by: str, today: date) -> None:
    """End it at once. The contact goes with it, and that is what keeps a slip of paper from undoing it.

    The caller calls `authenticate.changed` after commit.

    Raises:
        GuardianError: There is nothing to end.
    """
    on = sa.or_(Guardianship.ends_on.is_(None), Guardianship.ends_on >= today)
    ended = sa.update(Guardianship).where(_between(guardian, student), on)
    values = {"ends_on": today - timedelta(days=1), "contact_allowed": False, "from_roster": False}
    if not (await session.execute(ended.values(values).returning(Guardianship.id))).all():
        raise GuardianError(Text(zh="现在不是这个孩子的监护人", en="they are no guardian of the child"))
    await outbox.publish(session, GuardianUnlinked(guardian=guardian, student=student), subject=student)
    await _note(session, "guardian.ended", guardian, student, by)


async def forbid(
    session: AsyncSession, *, guardian: UUID, student: UUID, kind: GuardianshipKind | None, by: str, today: date
) -> None:
    """No contact from now on, as a court said: whether or not they were in the school's lists.

    The caller calls `authenticate.changed` after commit.

    Args:
        session: A district's session that publishes events.
        guardian: Who may not.
        student: The child.
        kind: What they are to the child; None: as known.
        by: Who entered it.
        today: The district's date.

    Raises:
        GuardianError: It is one person, or forbidden already.
    """
    if guardian == student:
        raise GuardianError(Text(zh="须是两个人", en="they must be two people"))
    known = sa.select(Guardianship.kind, Guardianship.contact_allowed, holds(Guardianship, today).label("on"))
    known = known.where(_between(guardian, student)).order_by(Guardianship.begins_on.desc()).limit(1)
    last = (await session.execute(known)).first()
    if last is not None and last.on and not last.contact_allowed:
        raise GuardianError(Text(zh="已禁止联系", en="contact is forbidden already"))
    await _stop(session, guardian, student, today)
    kept = kind or (last.kind if last is not None else "unknown")
    await _begin(session, guardian, student, kind=kept, contact_allowed=False, priority=99, today=today)
    if last is not None and last.on:
        await outbox.publish(session, GuardianUnlinked(guardian=guardian, student=student), subject=student)
    await _note(session, "guardian.forbidden", guardian, student, by, kind=kept)


async def _stop(session: AsyncSession, guardian: UUID, student: UUID, today: date) -> None:
    """What is on ends, and what was to begin some day does not."""
    later = sa.delete(Guardianship).where(_between(guardian, student), Guardianship.begins_on > today)
    await session.execute(later)
    on = sa.update(Guardianship).where(
        _between(guardian, student), Guardianship.begins_on < today, holds(Guardianship, today)
    )
    await session.execute(on.values(ends_on=today - timedelta(days=1), from_roster=False))


async def _begin(
    session: AsyncSession,
    guardian: UUID,
    student: UUID,
    *,
    kind: str,
    contact_allowed: bool,
    priority: int,
    today: date,
) -> None:
    """From today; a period that began today is set right instead of having a second one beside it."""
    values = {
        "kind": kind,
        "contact_allowed": contact_allowed,
        "priority": priority,
        "ends_on": None,
        "from_roster": False,
    }
    row = insert(Guardianship).values(id=new_id(), guardian_id=guardian, student_id=student, begins_on=today, **values)
    await session.execute(row.on_conflict_do_update(constraint="uq_guardianship_period", set_=values))


async def _join_schools(session: AsyncSession, guardian: UUID, student: UUID, today: date) -> None:
    schools = sa.select(Membership.org_id).where(
        Membership.person_id == student, Membership.role == "student", holds(Membership, today)
    )
    joined = sa.select(Membership.org_id).where(
        Membership.person_id == guardian, Membership.role.in_(FAMILY), holds(Membership, today)
    )
    for org in (await session.execute(schools.except_(joined))).scalars().all():
        row = insert(Membership).values(id=new_id(), person_id=guardian, org_id=org, role="guardian", begins_on=today)
        again = row.on_conflict_do_update(constraint="uq_membership_period", set_={"ends_on": None})
        await session.execute(again)


async def _note(session: AsyncSession, action: str, guardian: UUID, student: UUID, by: str, **details: str) -> None:
    told = {"guardian": str(guardian), **details}
    await audit.record(session, action=action, actor=by, subject=f"person:{student}", details=told)

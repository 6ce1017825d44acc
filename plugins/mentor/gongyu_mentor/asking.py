"""What every handler asks of a call: the day, who changes something, whose rounds they may see."""

from datetime import date
from typing import Any
from uuid import UUID

from litestar import Response

from gongyu.access.rights import verdict
from gongyu.people.rights.periods import today_in
from gongyu.plugin import SignedIn
from gongyu.printing.workbook import XLSX
from gongyu.web import Call, ProblemError
from gongyu_mentor import people, rounds
from gongyu_mentor.models import AnyRow

__all__ = [
    "FILE",
    "MANAGE",
    "MEMBERS",
    "MENTOR",
    "OWN",
    "REVIEW",
    "SCHOOL",
    "manages",
    "round_of",
    "today",
    "visible",
    "who",
    "workbook",
    "works_at",
]

MANAGE, FILE, MENTOR, SCHOOL, REVIEW = (
    "mentor.round.manage",
    "mentor.preference.file",
    "mentor.offer.fill",
    "mentor.school.read",
    "mentor.appeal.review",
)
MEMBERS = SignedIn("those who belong to the round's school or have a child there; filtered in the query")
OWN = SignedIn("one's own, or one's child's; filtered by relation in the query")


def today(call: Call) -> date:
    return today_in(call.district, call.now)


def who(call: Call) -> dict[str, Any]:
    """What every change by a school takes: where it may, and who signs."""
    return {"orgs": call.orgs, "by": call.principal.person}


def workbook(book: bytes, name: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(book, media_type=XLSX, headers=headers)


async def visible(call: Call) -> frozenset[UUID] | None:
    """The schools one belongs to, or has a child at."""
    return await people.orgs_of(await call.db(), call.principal, today=today(call))


def manages(call: Call) -> frozenset[UUID] | None:
    """The schools whose rounds one runs; None is all."""
    given = verdict(call.principal, call.platform.host.permissions[MANAGE])
    return given.orgs if given.allowed else frozenset()


def works_at(call: Call) -> frozenset[UUID] | None:
    """The schools one works at, whose rounds of classes one sees; None is all."""
    return None if manages(call) is None else people.schools_as(call.principal, *people.STAFF)


async def round_of(call: Call, round_id: UUID) -> AnyRow:
    """A round of a school one belongs to; a draft only for those who prepare it."""
    running = manages(call)
    if running is None or running:
        try:
            return await rounds.managed(await call.db(), round_id, orgs=running)
        except ProblemError:  # a head may be a parent elsewhere
            pass
    return await rounds.read(await call.db(), round_id, orgs=await visible(call), staff=works_at(call))

"""What all plugins together have to say: a student's growth record, a school's figures, one's own to-dos."""

from datetime import date, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Router, get
from litestar.params import FromPath, QueryParameter

from gongyu import briefing
from gongyu.people import growth
from gongyu.people.growth import GrowthRecord
from gongyu.plugin import SignedIn
from gongyu.web.call import Call
from gongyu.web.problems import ProblemError

__all__ = ["overview_routes"]

_YEAR: Final = timedelta(days=366)

Since = Annotated[date | None, QueryParameter(description="First day; a year before the last where it is left out.")]
Until = Annotated[date | None, QueryParameter(description="Last day; today where it is left out.")]
Schools = Annotated[
    list[UUID] | None, QueryParameter(description="Of these schools together; all one may see where it is left out.")
]


@get(
    "/people/{student:uuid}/growth-record",
    permission="district.growth_record.read",
    operation_id="read_growth_record",
    summary="A student's growth record, gathered from all plugins",
)
async def read_growth_record(
    call: Call, student: FromPath[UUID], since: Since = None, until: Until = None
) -> GrowthRecord:
    today = call.now.astimezone(ZoneInfo(call.district.timezone)).date()
    session = await call.session()
    # The permission says who reads records at all; whose is a matter of relation alone, never of rank.
    relations = growth.opening_relations(call.platform, call.state, call.principal, now=call.now, today=today)
    ground = await growth.reader_of(session, student, relations)
    if ground is None:
        raise ProblemError("not-found")
    call.opened_record(f"person:{student}", ground=ground.en, action="growth_record.read")
    ends = until or today
    return await growth.growth_record(
        call.platform,
        call.state,
        session,
        student=student,
        begins=since or ends - _YEAR,
        ends=ends,
        now=call.now,
    )


@get(
    "/indicators",
    permission="district.indicator.read",
    operation_id="read_indicators",
    summary="The figures of one's schools, or of the district",
)
async def read_indicators(call: Call, school: Schools = None) -> briefing.Briefing:
    if school and call.orgs is not None and not call.orgs.issuperset(school):
        raise ProblemError("not-found")
    schools = school or (None if call.orgs is None else sorted(call.orgs))
    return await briefing.briefing(call.platform, call.state, await call.session(), schools=schools, now=call.now)


@get(
    "/me/to-dos",
    permission=SignedIn("their own"),
    operation_id="list_to_dos",
    summary="What waits for me, in all plugins",
)
async def list_to_dos(call: Call) -> briefing.ToDos:
    return await briefing.to_dos(
        call.platform, call.state, await call.session(), person=call.principal.person, now=call.now
    )


def overview_routes() -> Router:
    return Router("/", route_handlers=[read_growth_record, read_indicators, list_to_dos], tags=["overview"])

"""The live stream over HTTP."""

import re
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import ServerSentEvent

from gongyu.text import Text
from gongyu.web import Call, ProblemError
from gongyu_points.calendar import today_of
from gongyu_points.live.hub import Hub
from gongyu_points.live.stream import stream
from gongyu_points.seeing import pupils_of_school, require_student

__all__ = ["ROUTES"]


def _last(request: Request[Any, Any, Any]) -> int | None:
    said = request.headers.get("last-event-id", "")
    if not said:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", said):
        raise ProblemError(
            "bad-request", Text(zh="Last-Event-ID 应为分录号", en="Last-Event-ID must be the number of an entry")
        )
    return int(said)


@get(
    "/students/{student:uuid}/live",
    permission="points.statement.read",
    operation_id="points_live_student",
    title=Text(zh="学生的积分，到账即推送", en="A student's points as they come in (server-sent events)"),
)
async def live_student(call: Call, request: Request[Any, Any, Any], student: FromPath[UUID]) -> ServerSentEvent:
    await require_student(call, student, today=today_of(call))
    await call.let_go()
    events = stream(call.platform.kept(Hub), call.platform, call.district, students=[student], last=_last(request))
    return ServerSentEvent(events)


@get(
    "/schools/{school:uuid}/live",
    permission="points.kiosk.sell",
    operation_id="points_live_school",
    title=Text(zh="全校学生的积分变动，供书坊大屏使用", en="All purses of a school, for the screen of its shop"),
)
async def live_school(call: Call, request: Request[Any, Any, Any], school: FromPath[UUID]) -> ServerSentEvent:
    students = await pupils_of_school(call, school, today=today_of(call))
    await call.let_go()
    events = stream(call.platform.kept(Hub), call.platform, call.district, students=students, last=_last(request))
    return ServerSentEvent(events)


ROUTES = [live_student, live_school]

"""Training and checks over HTTP: thin handlers."""

from uuid import UUID

from litestar import get, post, put
from litestar.params import FromPath, JSONBody

from gongyu.web import Call
from gongyu_mentor.asking import MENTOR, visible
from gongyu_mentor.people import require_school
from gongyu_mentor.training import sessions
from gongyu_mentor.training.schemas import (
    AttendanceIn,
    CheckIn,
    MissingOut,
    NewTraining,
    TrainingChange,
    TrainingOut,
)

__all__ = ["ROUTES"]

TRAIN, CHECK = "mentor.training.manage", "mentor.check.manage"


@get("/trainings", permission=MENTOR, operation_id="mentor_list_my_trainings", summary="Sessions at one's schools")
async def my_trainings(call: Call) -> list[TrainingOut]:
    return await sessions.trainings(await call.db(), schools=await visible(call), only=call.principal.person)


@get(
    "/schools/{school:uuid}/trainings",
    permission=TRAIN,
    operation_id="mentor_list_trainings",
    summary="A school's sessions, and who was there",
)
async def list_trainings(call: Call, school: FromPath[UUID]) -> list[TrainingOut]:
    source = await call.db()
    await require_school(source, school, orgs=call.orgs)
    return await sessions.trainings(source, schools=frozenset([school]))


@post(
    "/schools/{school:uuid}/trainings",
    permission=TRAIN,
    operation_id="mentor_add_training",
    summary="Announce a session",
)
async def add_training(call: Call, school: FromPath[UUID], data: JSONBody[NewTraining]) -> TrainingOut:
    context = await call.context()
    await require_school(context.session, school, orgs=call.orgs)
    return await sessions.add_training(context, school=school, new=data)


@put(
    "/trainings/{training:uuid}",
    permission=TRAIN,
    operation_id="mentor_change_training",
    summary="Change a session's title, time or place",
)
async def change_training(call: Call, training: FromPath[UUID], data: JSONBody[TrainingChange]) -> TrainingOut:
    return await sessions.change_training(await call.context(), training, asked=data, orgs=call.orgs)


@put(
    "/trainings/{training:uuid}/attendance",
    permission=TRAIN,
    operation_id="mentor_record_attendance",
    summary="Record who was there",
)
async def record_attendance(call: Call, training: FromPath[UUID], data: JSONBody[AttendanceIn]) -> TrainingOut:
    return await sessions.record_attendance(
        await call.context(), training, attended=data.attended, orgs=call.orgs, by=call.principal.person
    )


@post(
    "/schools/{school:uuid}/checks",
    permission=CHECK,
    operation_id="mentor_record_check",
    summary="Record the result, day and issuer of a criminal-record check",
    status_code=204,
)
async def record_check(call: Call, school: FromPath[UUID], data: JSONBody[CheckIn]) -> None:
    context = await call.context()
    await require_school(context.session, school, orgs=call.orgs)
    await sessions.record_check(context, school=school, asked=data, by=call.principal.person)


@get(
    "/schools/{school:uuid}/mentors/missing",
    permission=CHECK,
    operation_id="mentor_list_missing",
    summary="Mentors whose training or check is missing",
)
async def list_missing(call: Call, school: FromPath[UUID]) -> list[MissingOut]:
    context = await call.context()
    await require_school(context.session, school, orgs=call.orgs)
    return await sessions.missing(context, school=school)


ROUTES = [
    my_trainings,
    list_trainings,
    add_training,
    change_training,
    record_attendance,
    record_check,
    list_missing,
]

"""The care list over HTTP: thin handlers."""

from typing import Any
from uuid import UUID

from litestar import delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from gongyu.web import Call, Cursor, Limit, Page
from gongyu_mentor.asking import today
from gongyu_mentor.care import care, leads, reading
from gongyu_mentor.care.schemas import (
    CareClosing,
    CareNoteChange,
    CareOut,
    CareRecord,
    LeadOut,
    NewCare,
    NewCareNote,
    PlanChange,
)
from gongyu_mentor.people import require_school

__all__ = ["ROUTES"]

READ, WRITE, APPOINT = "mentor.care.read", "mentor.care.write", "mentor.care.appoint"


def _me(call: Call) -> dict[str, Any]:
    return {"me": call.principal.person, "today": today(call)}


def _sent(call: Call) -> dict[str, Any]:
    return {"by": call.principal.person, "values": _me(call)}


@post("/care", permission=WRITE, operation_id="mentor_open_care", summary="Put a child on the care list")
async def open_care(call: Call, data: JSONBody[NewCare]) -> dict[str, UUID]:
    return {"id": await care.open_care(await call.context(), new=data, **_sent(call))}


@get("/care", permission=READ, operation_id="mentor_list_care", summary="The children one looks after on the list")
async def list_care(
    call: Call,
    student: FromQuery[UUID | None] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    closed: FromQuery[bool] = False,
) -> Page[CareOut]:
    found = await reading.CARES.page(call, limit=limit, cursor=cursor, student=student, closed=closed, **_me(call))
    for row in found.items:
        call.opened_record(f"person:{row['student_id']}", ground=row["ground"], care=str(row["id"]))
    return Page([reading.care_out(row, call.seals, call.district) for row in found.items], found.next)


@get(
    "/care/{care_id:uuid}",
    permission=READ,
    operation_id="mentor_read_care",
    summary="Every plan and note about a child on the list",
)
async def read_care(call: Call, care_id: FromPath[UUID]) -> CareRecord:
    ground, found = await reading.record(
        await call.db(), care_id, values=_me(call), seals=call.seals, district=call.district
    )
    call.opened_record(f"person:{found.care.student}", ground=ground, care=str(care_id))
    return found


@post(
    "/care/{care_id:uuid}/plans",
    permission=WRITE,
    operation_id="mentor_change_care_plan",
    summary="Change the plan: the next number",
    status_code=204,
)
async def change_plan(call: Call, care_id: FromPath[UUID], data: JSONBody[PlanChange]) -> None:
    await care.change_plan(await call.context(), care_id, asked=data, **_sent(call))


@post(
    "/care/{care_id:uuid}/notes",
    permission=WRITE,
    operation_id="mentor_add_care_note",
    summary="Write down a visit, a call, a meeting or a note",
)
async def add_note(call: Call, care_id: FromPath[UUID], data: JSONBody[NewCareNote]) -> dict[str, UUID]:
    return {"id": await care.add_note(await call.context(), care_id, new=data, **_sent(call))}


@post(
    "/care/{care_id:uuid}/notes/{note:uuid}/versions",
    permission=WRITE,
    operation_id="mentor_amend_care_note",
    summary="Amend a note by a version that names the one it replaces",
)
async def amend_note(
    call: Call, care_id: FromPath[UUID], note: FromPath[UUID], data: JSONBody[CareNoteChange]
) -> dict[str, UUID]:
    return {"version": await care.amend_note(await call.context(), care_id, note, change=data, **_sent(call))}


@post(
    "/care/{care_id:uuid}/end",
    permission=WRITE,
    operation_id="mentor_close_care",
    summary="Take a child off the list, with what came of it",
    status_code=204,
)
async def close_care(call: Call, care_id: FromPath[UUID], data: JSONBody[CareClosing]) -> None:
    await care.close_care(await call.context(), care_id, asked=data, **_sent(call))


@get(
    "/schools/{school:uuid}/care-leads",
    permission=APPOINT,
    operation_id="mentor_list_care_leads",
    summary="Who leads the care of a school's children",
)
async def list_leads(call: Call, school: FromPath[UUID]) -> list[LeadOut]:
    source = await call.db()
    await require_school(source, school, orgs=call.orgs)
    return await leads.list_leads(source, school=school)


@put(
    "/schools/{school:uuid}/care-leads/{person:uuid}",
    permission=APPOINT,
    operation_id="mentor_appoint_care_lead",
    summary="Appoint somebody by name",
    status_code=204,
)
async def appoint(call: Call, school: FromPath[UUID], person: FromPath[UUID]) -> None:
    context = await call.context()
    await require_school(context.session, school, orgs=call.orgs)
    await leads.appoint(context, school=school, person=person, by=call.principal.person)


@delete(
    "/schools/{school:uuid}/care-leads/{person:uuid}",
    permission=APPOINT,
    operation_id="mentor_dismiss_care_lead",
    summary="End an appointment",
)
async def dismiss(call: Call, school: FromPath[UUID], person: FromPath[UUID]) -> None:
    context = await call.context()
    await require_school(context.session, school, orgs=call.orgs)
    await leads.dismiss(context, school=school, person=person, by=call.principal.person)


ROUTES = [
    open_care,
    list_care,
    read_care,
    change_plan,
    add_note,
    amend_note,
    close_care,
    list_leads,
    appoint,
    dismiss,
]

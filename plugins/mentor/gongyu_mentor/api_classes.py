"""Rounds of classes over HTTP: thin handlers."""

import asyncio
from uuid import UUID

from litestar import Response, get, put
from litestar.params import FromPath, JSONBody

from gongyu.web import Call
from gongyu_mentor import class_rounds, paper
from gongyu_mentor.asking import MANAGE, MENTOR, SCHOOL, manages, today, workbook
from gongyu_mentor.class_schemas import ClassChoices, ClassLine, ClassMentor

__all__ = ["CLASS_ROUTES"]


@get(
    "/rounds/{round_id:uuid}/classes",
    permission=MANAGE,
    operation_id="mentor_list_round_classes",
    summary="The classes of a round of classes, and their lists",
)
async def list_classes(call: Call, round_id: FromPath[UUID]) -> list[ClassLine]:
    return await class_rounds.listed(await call.db(), round_id, orgs=call.orgs, today=today(call))


@put(
    "/rounds/{round_id:uuid}/classes/{class_id:uuid}/preferences",
    permission=MENTOR,
    operation_id="mentor_file_class_preferences",
    summary="A homeroom teacher or the school files a class's list of teachers",
)
async def file_class(
    call: Call, round_id: FromPath[UUID], class_id: FromPath[UUID], data: JSONBody[ClassChoices]
) -> ClassLine:
    return await class_rounds.file(
        await call.session(),
        round_id,
        class_id=class_id,
        asked=data,
        by=call.principal.person,
        running=manages(call),
        today=today(call),
    )


async def _found(call: Call, school: UUID) -> list[ClassMentor]:
    return await class_rounds.mentors_of_classes(
        await call.db(), school=school, orgs=call.orgs, today=today(call), language=call.language
    )


@get(
    "/schools/{school:uuid}/classes",
    permission=SCHOOL,
    operation_id="mentor_list_class_mentors",
    summary="The classes of a school and the party-member teacher of each",
)
async def class_mentors(call: Call, school: FromPath[UUID]) -> list[ClassMentor]:
    return await _found(call, school)


@get(
    "/schools/{school:uuid}/classes.xlsx",
    permission=SCHOOL,
    operation_id="mentor_print_class_mentors",
    summary="The same as a workbook",
)
async def print_class_mentors(call: Call, school: FromPath[UUID]) -> Response[bytes]:
    book = await asyncio.to_thread(paper.class_sheet, class_rounds.sheet_rows(await _found(call, school)))
    return workbook(book, "classes.xlsx")


CLASS_ROUTES = [list_classes, file_class, class_mentors, print_class_mentors]

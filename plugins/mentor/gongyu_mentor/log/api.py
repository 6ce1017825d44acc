"""The log, the profile and the hand-over over HTTP: thin handlers."""

from typing import Final
from uuid import UUID

from litestar import Response, get, patch, post, put
from litestar.params import FromPath, JSONBody

from gongyu.text import Text
from gongyu.web import Call
from gongyu_mentor.asking import today
from gongyu_mentor.log import book, handing, pages, profile
from gongyu_mentor.log.schemas import (
    Answer,
    Asked,
    HandoverOut,
    ItemChange,
    ItemOut,
    LogOut,
    NewItem,
    Section,
    SectionIn,
    SectionOut,
)

__all__ = ["ROUTES"]

LOG: Final = "mentor.log.keep"
PROFILE: Final = "mentor.profile.read"
WRITE: Final = "mentor.profile.write"
HANDOVER: Final = "mentor.handover.answer"
_DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def _opened(call: Call, student: UUID, ground: str) -> None:
    call.opened_record(f"person:{student}", ground=ground)


@get(
    "/students/{student:uuid}/log",
    permission=LOG,
    operation_id="mentor_read_log",
    title=Text(zh="我带的学生的导育记录", en="My log of a pupil, for the running term"),
)
async def read_log(call: Call, student: FromPath[UUID]) -> LogOut:
    found = await pages.read_log(
        await call.db(),
        call.seals,
        student=student,
        mentor=call.principal.person,
        today=today(call),
        timezone=call.district.timezone,
    )
    _opened(call, student, "mentor")
    return found


@put(
    "/students/{student:uuid}/log/{section:str}",
    permission=LOG,
    operation_id="mentor_write_log",
    title=Text(zh="写导育记录的一栏", en="Write a section of the log"),
)
async def write_log(
    call: Call, student: FromPath[UUID], section: FromPath[Section], data: JSONBody[SectionIn]
) -> SectionOut:
    written = await pages.write_section(
        await call.context(),
        student=student,
        mentor=call.principal.person,
        section=section,
        new=data,
        today=today(call),
    )
    _opened(call, student, "mentor")
    return written


async def _book(call: Call, student: UUID, *, private: bool) -> book.Book:
    made = await book.gather(
        await call.db(),
        call.seals,
        call.district,
        student=student,
        mentor=call.principal.person,
        today=today(call),
        now=call.now,
        private=private,
    )
    call.opened_record(f"person:{student}", ground="mentor", private=private)
    return made


@get(
    "/students/{student:uuid}/book.pdf",
    permission=LOG,
    operation_id="mentor_print_book",
    title=Text(zh="导育记录册（PDF）", en="The book of a pupil (PDF)"),
)
async def print_book(call: Call, student: FromPath[UUID], private: bool = False) -> Response[bytes]:  # noqa: FBT001, FBT002 - a query parameter
    made = await _book(call, student, private=private)
    headers = {"content-disposition": 'attachment; filename="book.pdf"'}
    return Response(await book.as_pdf(made, now=call.now), media_type="application/pdf", headers=headers)


@get(
    "/students/{student:uuid}/book.docx",
    permission=LOG,
    operation_id="mentor_export_book",
    title=Text(zh="导育记录册（Word）", en="The book of a pupil (Word)"),
)
async def export_book(call: Call, student: FromPath[UUID], private: bool = False) -> Response[bytes]:  # noqa: FBT001, FBT002 - as above
    made = await _book(call, student, private=private)
    headers = {"content-disposition": 'attachment; filename="book.docx"'}
    return Response(await book.as_docx(made), media_type=_DOCX, headers=headers)


@get(
    "/students/{student:uuid}/profile",
    permission=PROFILE,
    operation_id="mentor_read_profile",
    title=Text(zh="成长画像：爱好、特长、阅读、目标", en="A pupil's profile: hobbies, talents, reading, goals"),
)
async def read_profile(call: Call, student: FromPath[UUID]) -> list[ItemOut]:
    return await profile.read_profile(
        await call.db(), call.seals, student=student, me=call.principal.person, today=today(call)
    )


@post(
    "/students/{student:uuid}/profile",
    permission=WRITE,
    operation_id="mentor_add_profile_item",
    title=Text(zh="在成长画像里添一条", en="Add a line to a profile"),
)
async def add_item(call: Call, student: FromPath[UUID], data: JSONBody[NewItem]) -> ItemOut:
    return await profile.add(
        await call.context(), student=student, me=call.principal.person, new=data, today=today(call)
    )


@patch(
    "/students/{student:uuid}/profile/{item:uuid}",
    permission=WRITE,
    operation_id="mentor_change_profile_item",
    title=Text(zh="修改成长画像的一条", en="Change a line of a profile"),
)
async def change_item(
    call: Call, student: FromPath[UUID], item: FromPath[UUID], data: JSONBody[ItemChange]
) -> ItemOut | None:
    return await profile.change(
        await call.context(), student=student, item=item, me=call.principal.person, asked=data, today=today(call)
    )


@get(
    "/students/{student:uuid}/handover",
    permission=LOG,
    operation_id="mentor_read_handover",
    title=Text(zh="前任导师的交接小结", en="What the mentor before me summed up, if the pupil agreed"),
)
async def read_handover(call: Call, student: FromPath[UUID]) -> HandoverOut:
    found = await handing.packet(await call.db(), call.seals, student=student, mentor=call.principal.person)
    _opened(call, student, "mentor, by the pupil's word" if found.summaries else "mentor")
    return found


@get(
    "/handovers",
    permission=HANDOVER,
    operation_id="mentor_list_handovers",
    title=Text(zh="要不要把小结交给新导师", en="What my new mentor would like to read"),
)
async def list_handovers(call: Call) -> list[Asked]:
    return await handing.asked_of(await call.db(), student=call.principal.person)


@put(
    "/handovers/{pair:uuid}",
    permission=HANDOVER,
    operation_id="mentor_answer_handover",
    title=Text(zh="同意或不同意交接", en="Say yes or no to the hand-over"),
)
async def answer_handover(call: Call, pair: FromPath[UUID], data: JSONBody[Answer]) -> list[Asked]:
    context = await call.context()
    await handing.answer(context, pair=pair, student=call.principal.person, agreed=data.agreed)
    return await handing.asked_of(await context.session.connection(), student=call.principal.person)


ROUTES: Final = [
    read_log,
    write_log,
    print_book,
    export_book,
    read_profile,
    add_item,
    change_item,
    read_handover,
    list_handovers,
    answer_handover,
]

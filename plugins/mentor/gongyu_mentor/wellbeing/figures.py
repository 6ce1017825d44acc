"""What waits for somebody: wishes to talk, cases nobody has taken, tasks of a plan, glass to be broken by two."""

from uuid import UUID

from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text, ToDo
from gongyu_mentor.people import as_principal
from gongyu_mentor.wellbeing import breaking, cases, tasks, wishes

__all__ = ["to_dos"]


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    """Overdue ones have a day in the past: whoever shows them sees it. No names: it may stand on a locked phone."""
    principal = await as_principal(context, person)
    found = [
        ToDo(
            name="mentor.talk_wish",
            title=Text(zh="一名学生想和你谈谈", en="A pupil wants to talk to you"),
            due=today_in(context.district, one.due_at),
            subject=one.id,
            link="mentor/wellbeing/wishes",
        )
        for one in await wishes.waiting(context, principal)
        if one.arranged_at is None
    ]
    found += [
        ToDo(
            name="mentor.case",
            title=Text(zh="一个个案等待心理教师受理", en="A case waits for a counsellor"),
            due=today_in(context.district, one.opened_at),
            subject=one.id,
            link="mentor/wellbeing/cases",
        )
        for one in await cases.waiting(context, principal)
        if not one.mine
    ]
    found += [
        ToDo(
            name="mentor.care_task",
            title=Text(zh="一名学生需要你关注", en="A pupil needs your attention"),
            due=one.due_on,
            subject=one.id,
            link="mentor/wellbeing/tasks",
        )
        for one in await tasks.mine(context, principal)
        if one.done_at is None
    ]
    found += [
        ToDo(
            name="mentor.break_glass",
            title=Text(zh="有人申请紧急查阅，需要第二人批准", en="An emergency opening needs a second person"),
            subject=one.id,
            link="mentor/wellbeing/break-glass",
        )
        for one in await breaking.waiting(context, principal)
        if one.approved_by is None and one.asked_by != person
    ]
    found += [
        ToDo(
            name="mentor.glass_broken",
            title=Text(zh="你的个案被紧急查阅", en="A record of your case was opened in an emergency"),
            subject=one.id,
            link="mentor/wellbeing/break-glass",
        )
        for one in await breaking.of_owned_cases(context, principal)
    ]
    return found

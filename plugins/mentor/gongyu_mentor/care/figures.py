"""What waits for whoever looks after a child on the care list."""

from typing import Final
from uuid import UUID

from gongyu.people.rights.periods import today_in
from gongyu.plugin import Context, Text, ToDo
from gongyu_mentor.care.reading import care_dues

__all__ = ["to_dos"]

_DUE: Final = Text(zh="有一名学生需要看望或联系", en="A pupil is to be visited or called")


async def to_dos(context: Context, person: UUID) -> list[ToDo]:
    """The next time for each open plan that names this person; no word of what it is about."""
    today = today_in(context.district, context.now)
    dues = await care_dues(context.session, responsible=person, district=context.district, today=today)
    return [
        ToDo(name="mentor.care_due", title=_DUE, due=due, subject=student, link=f"mentor/care/{care}")
        for care, student, due in dues
    ]

"""What waits for whoever looks after a child on the care list."""

from datetime import date
from typing import Final
from uuid import UUID

from gongyu.plugin import Context, Text, ToDo
from gongyu_mentor.care.reading import care_dues

__all__ = ["care_to_dos"]

_DUE: Final = Text(zh="有一名学生需要看望或联系", en="A pupil is to be visited or called")


async def care_to_dos(context: Context, person: UUID, *, today: date) -> list[ToDo]:
    """The next time for each open plan that names this person; no word of what it is about."""
    link = f"/api/v1/{context.district.slug}/mentor/care"
    dues = await care_dues(context.session, responsible=person, district=context.district, today=today)
    return [
        ToDo(name="mentor.care_due", title=_DUE, due=due, subject=student, link=f"{link}/{care}")
        for care, student, due in dues
    ]

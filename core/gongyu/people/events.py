"""What happens to people, told to plugins. Ids only (promise 4): whoever wants names asks where rights are checked.

The subject of an event is the student; of a leaving member of staff, the person; of a request, the request; of a term,
the academic session.
"""

from datetime import date
from typing import ClassVar, Final
from uuid import UUID

from gongyu.plugin import Event
from gongyu.text import Text

__all__ = [
    "PEOPLE_EVENTS",
    "Enrolled",
    "GuardianLinked",
    "GuardianUnlinked",
    "Left",
    "RightsRequestDue",
    "StaffLeft",
    "TermClosed",
    "TermOpened",
    "Transferred",
]


class Enrolled(Event, frozen=True, kw_only=True):
    """A pupil who was at no school of the district is at one now; `class_id`: the homeroom class, if there is one."""

    type: ClassVar[str] = "people.enrolled.v1"
    title: ClassVar[Text] = Text(zh="学生入学", en="A pupil came")
    student: UUID
    school: UUID
    class_id: UUID | None = None


class Transferred(Event, frozen=True, kw_only=True):
    """A pupil changed the school, the homeroom class, or both."""

    type: ClassVar[str] = "people.transferred.v1"
    title: ClassVar[Text] = Text(zh="学生转学或转班", en="A pupil changed school or class")
    student: UUID
    from_school: UUID
    to_school: UUID
    from_class: UUID | None = None
    to_class: UUID | None = None


class Left(Event, frozen=True, kw_only=True):
    """A pupil is at no school of the district any more."""

    type: ClassVar[str] = "people.left.v1"
    title: ClassVar[Text] = Text(zh="学生离校", en="A pupil left")
    student: UUID
    school: UUID
    class_id: UUID | None = None


class GuardianLinked(Event, frozen=True, kw_only=True):
    """Somebody is a pupil's guardian now."""

    type: ClassVar[str] = "people.guardian_linked.v1"
    title: ClassVar[Text] = Text(zh="建立监护关系", en="A guardian was linked")
    guardian: UUID
    student: UUID


class GuardianUnlinked(Event, frozen=True, kw_only=True):
    """Somebody is no longer a pupil's guardian."""

    type: ClassVar[str] = "people.guardian_unlinked.v1"
    title: ClassVar[Text] = Text(zh="解除监护关系", en="A guardian was unlinked")
    guardian: UUID
    student: UUID


class StaffLeft(Event, frozen=True, kw_only=True):
    """A member of staff works nowhere in the district any more; `orgs` are those they were in."""

    type: ClassVar[str] = "people.staff_left.v1"
    title: ClassVar[Text] = Text(zh="教职工离职", en="A member of staff left")
    person: UUID
    orgs: list[UUID]


class RightsRequestDue(Event, frozen=True, kw_only=True):
    """A request for correction or erasure is due within a week, or late; whoever answers reads it from the API."""

    type: ClassVar[str] = "people.rights_request_due.v1"
    title: ClassVar[Text] = Text(zh="更正或删除请求即将到期或已逾期", en="A request is due or late")
    request: UUID
    due_on: date
    overdue: bool


class TermOpened(Event, frozen=True, kw_only=True):
    """The first day of a term has come."""

    type: ClassVar[str] = "people.term_opened.v1"
    title: ClassVar[Text] = Text(zh="学期开始", en="A term began")
    session: UUID


class TermClosed(Event, frozen=True, kw_only=True):
    """The last day of a term is over."""

    type: ClassVar[str] = "people.term_closed.v1"
    title: ClassVar[Text] = Text(zh="学期结束", en="A term ended")
    session: UUID


PEOPLE_EVENTS: Final[tuple[type[Event], ...]] = (
    Enrolled,
    Transferred,
    Left,
    GuardianLinked,
    GuardianUnlinked,
    StaffLeft,
    RightsRequestDue,
    TermOpened,
    TermClosed,
)

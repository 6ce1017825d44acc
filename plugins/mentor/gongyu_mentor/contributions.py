"""What rounds, choices and pairs add to the plugin's one page."""

from typing import Final

from gongyu.plugin import Permission, Subscription, Text
from gongyu_mentor import api, assignments, records, waiting
from gongyu_mentor.events import MentorAssigned, MentorEnded
from gongyu_mentor.people import STAFF
from gongyu_mentor.room import HEADS, Room

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.round.manage", Text(zh="组织导师双选", en="Run matching rounds"), HEADS),
        Permission("mentor.school.read", Text(zh="看本校结对情况", en="See a school's mentors and pupils"), HEADS),
        Permission("mentor.appeal.review", Text(zh="处理结对申诉", en="Decide appeals"), HEADS, sensitive=True),
        Permission("mentor.preference.file", Text(zh="填报导师志愿", en="Rank mentors"), ("student",)),
        Permission("mentor.offer.fill", Text(zh="作为导师参加", en="Take part as a mentor"), STAFF),
    ),
    routes=api.ROUTES,
    event_types=(MentorAssigned, MentorEnded),
    subscriptions=(
        Subscription("people.left.v1", assignments.end_of_leaver),
        Subscription("people.transferred.v1", assignments.end_of_transferred),
    ),
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    to_dos=waiting.to_dos,
)

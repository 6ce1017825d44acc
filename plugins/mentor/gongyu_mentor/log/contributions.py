"""What the log, the profile and the hand-over add to the plugin's one page."""

from typing import Final

from gongyu.plugin import Permission, Subscription, Text
from gongyu_mentor.log import api, figures, handing, records
from gongyu_mentor.people import STAFF
from gongyu_mentor.room import Room

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.log.keep", Text(zh="写导育记录", en="Keep the log of one's pupils"), STAFF, sensitive=True),
        Permission("mentor.profile.read", Text(zh="看成长画像", en="Read profiles"), ("student", "guardian", *STAFF)),
        Permission("mentor.profile.write", Text(zh="写成长画像", en="Write profiles"), ("student", *STAFF)),
        Permission("mentor.handover.answer", Text(zh="答复交接", en="Answer a hand-over"), ("student",)),
    ),
    routes=api.ROUTES,
    subscriptions=(Subscription("mentor.assigned.v1", handing.ask),),
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    growth_sections=figures.growth_sections,
    to_dos=figures.to_dos,
)

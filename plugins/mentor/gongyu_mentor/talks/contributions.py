"""What talks add to the plugin's one page."""

from datetime import time
from typing import Final

from gongyu.plugin import Job, Permission, Text
from gongyu_mentor.people import STAFF
from gongyu_mentor.room import HEADS, Room
from gongyu_mentor.talks import api, figures, records
from gongyu_mentor.talks.events import TalkDue, TalkLogged

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.talk.write", Text(zh="记谈心谈话", en="Write talks down"), STAFF),
        Permission("mentor.talk.read", Text(zh="看谈心谈话", en="Read talks"), STAFF, sensitive=True),
        Permission("mentor.cadence.manage", Text(zh="定谈话要求", en="Decide what is owed to each child"), HEADS),
    ),
    routes=api.ROUTES,
    event_types=(TalkDue, TalkLogged),
    jobs=(
        Job(
            "talks_due",
            Text(zh="提醒未谈到的学生", en="Remind of pupils not talked with"),
            figures.remind,
            every="daily",
            at=time(7, 0),
        ),
    ),
    consent_purposes=records.PURPOSES,
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    growth_sections=figures.growth_sections,
    indicators=figures.indicators,
    to_dos=figures.to_dos,
)

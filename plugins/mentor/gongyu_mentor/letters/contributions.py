"""What the principal's mailbox adds to the plugin's one page."""

from datetime import time
from typing import Final

from gongyu.plugin import Job, Permission, Text
from gongyu_mentor.letters import api, clock, figures, records
from gongyu_mentor.letters.events import LetterOverdue, LetterReceived
from gongyu_mentor.letters.offices import OFFICES
from gongyu_mentor.room import Room

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.letter.answer", Text(zh="答复悄悄话", en="Answer letters"), OFFICES, sensitive=True),
        Permission("mentor.change.post", Text(zh="公布改变", en="Say what changed"), ("principal",)),
    ),
    routes=api.ROUTES,
    event_types=(LetterReceived, LetterOverdue),
    jobs=(
        Job("letters_clock", Text(zh="悄悄话时限", en="Clock of the letters"), clock.run, every="daily", at=time(7, 0)),
    ),
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    indicators=figures.indicators,
    to_dos=figures.to_dos,
)

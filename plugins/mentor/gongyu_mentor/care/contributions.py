"""What the care list adds to the plugin's one page."""

from typing import Final

from gongyu.plugin import Permission, Text
from gongyu_mentor.care import api, figures, records
from gongyu_mentor.people import STAFF
from gongyu_mentor.room import HEADS, Room

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.care.read", Text(zh="看关爱名单", en="Read the care list"), STAFF, sensitive=True),
        Permission("mentor.care.write", Text(zh="写关爱记录", en="Keep the care list"), STAFF, sensitive=True),
        Permission("mentor.care.appoint", Text(zh="指定关爱负责人", en="Appoint care leads"), HEADS),
    ),
    routes=api.ROUTES,
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    to_dos=figures.to_dos,
)

"""What training and checks add to the plugin's one page."""

from typing import Final

from gongyu.plugin import Permission, Text
from gongyu_mentor.room import HEADS, Room
from gongyu_mentor.training import api, records

__all__ = ["ROOM"]

ROOM: Final = Room(
    permissions=(
        Permission("mentor.training.manage", Text(zh="组织导师培训", en="Run mentors' training"), HEADS),
        Permission("mentor.check.manage", Text(zh="登记犯罪记录查询", en="Record checks"), HEADS, sensitive=True),
    ),
    routes=api.ROUTES,
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
)

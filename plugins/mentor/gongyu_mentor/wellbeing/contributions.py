"""What wellbeing adds to the plugin's one page."""

from datetime import time
from typing import Final

from gongyu.plugin import Job, Permission, Text
from gongyu_mentor.people import STAFF
from gongyu_mentor.room import Room
from gongyu_mentor.wellbeing import api, figures, records
from gongyu_mentor.wellbeing.screening import PURPOSE, forget_withdrawn

__all__ = ["ROOM"]

_PERMISSIONS: Final = (
    Permission(
        "mentor.wellbeing.keep", Text(zh="记录自己的心情", en="Keep one's own curve"), ("student",), sensitive=True
    ),
    Permission("mentor.wellbeing.read", Text(zh="看心理曲线", en="Read wellbeing curves"), STAFF, sensitive=True),
    Permission("mentor.wish.answer", Text(zh="答复“我想谈谈”", en="Answer wishes to talk"), STAFF, sensitive=True),
    Permission(
        "mentor.case.ask", Text(zh="请心理教师介入", en="Ask for a counsellor"), ("student", *STAFF), sensitive=True
    ),
    Permission("mentor.case.care", Text(zh="受理心理个案", en="Take cases"), ("counselor",), sensitive=True),
    Permission("mentor.lead.name", Text(zh="指定心理健康负责人", en="Name leads for mental health"), ("principal",)),
    Permission("mentor.glass.break", Text(zh="紧急查阅", en="Open a record in an emergency"), STAFF, sensitive=True),
    Permission(
        "mentor.screening.import", Text(zh="导入筛查结果", en="Take in screenings"), ("counselor",), sensitive=True
    ),
    Permission(
        "mentor.screening.figures",
        Text(zh="看筛查统计", en="See figures of screenings"),
        (*STAFF, "districtAdministrator"),
    ),
)
_JOBS: Final = (
    Job(
        "screening_consent",
        Text(zh="删除已撤回同意的筛查结果", en="Delete screenings whose consent was taken back"),
        forget_withdrawn,
        every="daily",
        at=time(3, 20),
    ),
)
ROOM: Final = Room(
    permissions=_PERMISSIONS,
    routes=api.ROUTES,
    jobs=_JOBS,
    consent_purposes=(PURPOSE,),
    retention_categories=records.RETENTION,
    held=records.held,
    erased=records.erased,
    to_dos=figures.to_dos,
)

"""Three levels of confidentiality, chosen while writing; each says who can read it, in the words the writer sees.

By relation and never by rank: no level opens anything to a principal, an administrator or the district (未成年人保护法
63; the plan for pupils' mental-health records gives a principal tasks and no notes). Whoever must act gets a task.
"""

from collections.abc import Mapping
from typing import Final

from gongyu.plugin import Text
from gongyu_mentor.talks.schemas import Level, LevelOut

__all__ = ["LEVELS"]

LEVELS: Final[Mapping[Level, LevelOut]] = {
    "mentor": LevelOut(
        "mentor",
        Text(zh="孩子的心事只有孩子和导师知道", en="A child's mind is known to the child and the mentor only"),
        Text(
            zh="只有学生本人和写下它的导师能看。换了导师也不移交；班主任、校长、家长都看不到。"
            "发现孩子受到或可能受到伤害时，仍须依法报告。",
            en="Read by the pupil and the mentor who wrote it, nobody else. It does not pass to the next mentor; the "
            "homeroom teacher, the principal and the parents do not see it. A child who is harmed or in danger must "
            "still be reported, as the law demands.",
        ),
    ),
    "school": LevelOut(
        "school",
        Text(zh="学校里照顾这个孩子的人", en="Those at school who look after the child"),
        Text(
            zh="学生本人、现任导师（换导师时移交给接任者）、班主任、负责该生关爱计划的老师能看；"
            "校长不因职务而能看，家长看不到。",
            en="Read by the pupil, the present mentor (it passes to a successor), the homeroom teacher and whoever is "
            "responsible for the child's care plan. A principal does not read it by rank; parents do not see it.",
        ),
    ),
    "guardians": LevelOut(
        "guardians",
        Text(zh="家校共知", en="School and family"),
        Text(
            zh="除上述人员外，孩子的监护人也能看（被限制联系的除外）。",
            en="Read also by the child's guardians, except those who may not be in contact.",
        ),
    ),
}

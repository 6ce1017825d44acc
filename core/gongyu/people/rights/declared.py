"""The purposes and retention categories of a district: the core's and those its plugins declare."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import structlog
from pluggy import HookCaller

from gongyu.districts.registry import DistrictState
from gongyu.people.rights.contract import Purpose, RetentionCategory
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["CORE_PURPOSES", "plugin_categories", "purposes_in"]

log = structlog.get_logger("gongyu.rights")

CORE_PURPOSES: Final = (
    Purpose(
        name="core.schooling",
        title=Text(zh="学籍与在校教育", en="School register and schooling"),
        text=Text(
            zh="为履行义务教育职责，学校登记学生的姓名、身份证件号码、出生日期、班级与监护人及其联系方式，"
            "保存在本区县的数据库中，在校期间及离校后三年内保留；可申请查阅、复制、更正。",
            en="To do its duty under the law, the school registers a pupil's name, identity number, date of birth, "
            "class, and guardians with how to reach them. It is kept in the district's database while the pupil is "
            "here and for three years after. It can be seen, copied and corrected on request.",
        ),
        duty=Text(
            zh="义务教育法第十三、十四条；中小学生学籍管理办法",
            en="Compulsory Education Law, art. 13–14; school register rules",
        ),
    ),
    Purpose(
        name="core.care",
        title=Text(zh="关爱帮扶", en="Care for those who need it"),
        text=Text(
            zh="学校为留守、困境等学生建立关爱档案，内容加以保护，只有有关人员可见；结束一年后删除。",
            en="The school keeps a record of pupils left behind or in hardship so as to care for them. It is "
            "protected, seen only by those concerned, and deleted a year after it ended.",
        ),
        sensitive=True,
        duty=Text(zh="未成年人保护法第二十九条", en="Law on the Protection of Minors, art. 29"),
    ),
    Purpose(
        name="core.public_mention",
        title=Text(zh="公开展示姓名或照片", en="Showing a name or picture in public"),
        text=Text(
            zh="在表彰、活动报道等公开场合出现姓名或照片。不同意不影响其他任何功能；随时可以撤回，撤回后不再展示。"
            "可向学校或区县教育局投诉。",
            en="A name or picture appears in public: honours, reports of events. A refusal changes nothing else. "
            "Consent can be withdrawn at any time; it is then shown no more. Complaints go to the school or the "
            "district's education bureau.",
        ),
        sensitive=True,
    ),
)


def purposes_in(platform: Platform, state: DistrictState) -> dict[str, Purpose]:
    """By name, the core's first. What a plugin declares under another's name is not listened to: nothing may be
    processed under it.
    """
    found = {purpose.name: purpose for purpose in CORE_PURPOSES}
    for plugin, answer in _asked(platform.host.manager.hook.consent_purposes, state.enabled):
        for purpose in answer:
            if purpose.name.startswith(f"{plugin}."):
                found[purpose.name] = purpose
            else:
                log.warning("purpose under a foreign name", plugin=plugin, purpose=purpose.name)
    return found


def plugin_categories(platform: Platform, plugins: Iterable[str]) -> list[tuple[str, RetentionCategory]]:
    """The retention categories of these plugins, each with its plugin."""
    return [
        (plugin, category)
        for plugin, answer in _asked(platform.host.manager.hook.retention_categories, plugins)
        for category in answer
    ]


def _asked(caller: HookCaller, plugins: Iterable[str]) -> list[tuple[str, Sequence[Any]]]:
    answers = {implementation.plugin_name: implementation.function for implementation in caller.get_hookimpls()}
    return [(name, cast("Sequence[Any]", answers[name]())) for name in plugins if name in answers]

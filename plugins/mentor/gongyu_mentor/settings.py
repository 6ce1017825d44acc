"""What a district, and within its bounds a school, decides about mentors."""

from typing import Annotated

from msgspec import Meta, Struct

from gongyu.districts.settings import PER_SCHOOL

__all__ = ["HelpLine", "MentorSettings"]


class HelpLine(Struct, frozen=True, forbid_unknown_fields=True):
    """Where somebody in need finds help at any hour."""

    zh: Annotated[str, Meta(min_length=1, max_length=60, title="中文名称 · Name in Chinese")]
    en: Annotated[str, Meta(min_length=1, max_length=60, title="英文名称 · Name in English")]
    phone: Annotated[str, Meta(pattern=r"^[0-9+ -]{3,20}$", title="电话 · Phone number")]


#: 12355: youth service of the Communist Youth League; 12356: national psychological aid (国卫, 2025); 110: police.
_HELP_LINES = (
    HelpLine("青少年服务台", "Youth service line", "12355"),
    HelpLine("全国统一心理援助热线", "National psychological aid line", "12356"),
    HelpLine("报警", "Police", "110"),
)
#: After the situations of 九部门《…强制报告制度的意见（试行）》 (2020) art. 4 and
#: 未成年人保护法 39, 40, in children's words: sexual harm; violence; bullying and threats; suicide and self-harm;
#: neglect, trafficking, poison. They are found with signs between the characters too (`letters.harm`):
#: so an English entry is a phrase that no common word contains.
_HARM_ZH = (
    "性侵 猥亵 强奸 强暴 轮奸 诱奸 性骚扰 性虐待 强吻 亲我 摸我 摸下面 摸胸 脱我 脱衣服 裸照 裸聊 偷拍 偷窥 看我洗澡 "
    "下体 隐私部位 怀孕 流产 打胎 堕胎 "
    "打我 打了我 被打 挨打 殴打 毒打 扇我 踢我 掐我 烫我 家暴 虐待 体罚 "
    "欺凌 霸凌 欺负 孤立我 勒索 敲诈 保护费 威胁我 恐吓 绑架 "
    "自杀 自残 自伤 伤害自己 割腕 割手 跳楼 上吊 农药 不想活 想死 去死 活不下去 结束生命 轻生 遗书 安眠药 "
    "遗弃 没人管我 没人要我 拐卖 失踪 离家出走 乞讨 童工 不给饭吃 不给吃 关起来 绑起来 下药 灌酒 中毒 毒品"
)
_HARM_EN = (
    "was raped, been raped, raped me, rape me, molest, sexual abuse, sexually, touches me, touched me, naked photo, "
    "naked picture, pregnant, abortion, hits me, hit me, beats me, beat me up, kicks me, kicked me, hurts me, abuse, "
    "bully, bullied, blackmail, threaten, kidnap, suicide, kill myself, kill me, hurt myself, harm myself, cut myself, "
    "want to die, wish i was dead, wish i were dead, don't want to live, end my life, overdose, sleeping pills, "
    "run away from home, locked me, nobody feeds me, nothing to eat, drugged me"
)
_HARM_WORDS = (*_HARM_ZH.split(), *_HARM_EN.split(", "))


class MentorSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults of a new round. Running rounds keep the rules they were made with."""

    ratio_cap: Annotated[int, Meta(ge=1, le=50, title="导师最多带多少名学生 · Most students of a mentor")] = 15
    school_cap: Annotated[
        int, Meta(ge=1, le=50, title="学校希望的人数 · Students a school wants per mentor"), PER_SCHOOL
    ] = 10
    list_length: Annotated[int, Meta(ge=1, le=20, title="志愿数 · Choices on a list"), PER_SCHOOL] = 8
    favour_percent: Annotated[
        int, Meta(ge=0, le=20, title="导师优先选择的比例 % · Share of applicants a mentor may star"), PER_SCHOOL
    ] = 10
    reserve_percent: Annotated[
        Annotated[int, Meta(ge=0, le=100)] | None,
        Meta(title="关爱预留比例 %，空为按实际比例 · Places kept for care; empty: their actual share"),
        PER_SCHOOL,
    ] = None
    care_categories: Annotated[
        tuple[str, ...], Meta(title="预留所指的关爱类别，空为全部 · Categories the reserve is for; empty: all")
    ] = ()
    appeal_days: Annotated[int, Meta(ge=0, le=30, title="公示后申诉天数 · Days to appeal"), PER_SCHOOL] = 7
    answer_days: Annotated[int, Meta(ge=1, le=30, title="答复申诉的天数 · Days to answer an appeal"), PER_SCHOOL] = 5
    help_lines: Annotated[tuple[HelpLine, ...], Meta(title="求助电话 · Lines for help at any hour")] = _HELP_LINES
    talk_hours: Annotated[
        int, Meta(ge=1, le=240, title="答复“我想谈谈”的时限（小时）· Hours to answer a wish to talk"), PER_SCHOOL
    ] = 48
    letter_days: Annotated[
        int, Meta(ge=1, le=60, title="答复悄悄话的时限（天）· Days to answer a letter"), PER_SCHOOL
    ] = 5
    harm_words: Annotated[tuple[str, ...], Meta(title="表明可能受到伤害的词语 · Words that speak of harm")] = (
        _HARM_WORDS
    )
    report_hours: Annotated[
        int, Meta(ge=1, le=72, title="确认强制报告的时限（小时）· Hours to take up a mandatory report")
    ] = 24
    training_before_talk: Annotated[
        bool, Meta(title="参加导师培训后才能谈心谈话 · Attend a training session before the first talk"), PER_SCHOOL
    ] = False
    check_required: Annotated[
        bool, Meta(title="导师须有违法犯罪记录查询结果 · Mentors need a criminal-record check"), PER_SCHOOL
    ] = False
    check_valid_years: Annotated[
        int, Meta(ge=1, le=5, title="查询结果有效年数 · Years a check is valid"), PER_SCHOOL
    ] = 1
    remind_days: Annotated[
        int, Meta(ge=0, le=6, title="提前几天提醒未谈到的学生 · Days before the due date to remind"), PER_SCHOOL
    ] = 2

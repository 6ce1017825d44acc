"""What is to be reported, and the steps that follow.

The situations of 九部门《关于建立侵害未成年人案件强制报告制度的意见（试行）》(2020) art. 4, and bullying
(未成年人保护法 39), which has a procedure of its own.
"""

from collections.abc import Mapping
from typing import Final, Literal

from gongyu.plugin import Text

__all__ = ["KINDS", "PAPER", "STEPS", "Kind", "Step"]

Kind = Literal[
    "intimate_injury",
    "sexual_under_14",
    "sexual_from_14",
    "violence",
    "unnatural_injury",
    "neglect",
    "missing",
    "begging",
    "bullying",
    "other",
]
Step = Literal[
    "addition",
    "identified",
    "acknowledged",
    "police_informed",
    "guardians_informed",
    "guardians_not_informed",
    "escalated",
    "closed",
]

KINDS: Final[Mapping[Kind, Text]] = {
    "intimate_injury": Text(
        zh="生殖器官或隐私部位遭受或疑似遭受非正常损伤", en="an unusual injury of private parts, or a suspicion of one"
    ),
    "sexual_under_14": Text(
        zh="不满十四周岁的女性遭受或疑似遭受性侵害、怀孕、流产",
        en="a girl under 14: sexual harm, pregnancy or abortion, or a suspicion of it",
    ),
    "sexual_from_14": Text(
        zh="十四周岁以上遭受或疑似遭受性侵害", en="sexual harm from the age of 14, or a suspicion of it"
    ),
    "violence": Text(
        zh="身体多处损伤、严重营养不良、意识不清，或疑似遭受家暴、虐待、殴打、麻醉",
        en="several injuries, grave malnutrition, clouded mind; violence at home, abuse, beating, drugging",
    ),
    "unnatural_injury": Text(
        zh="因自杀、自残、中毒、殴打等非正常原因伤残或死亡",
        en="injury or death by suicide, self-harm, poisoning, beating or another unnatural cause",
    ),
    "neglect": Text(zh="被遗弃或长期处于无人照料状态", en="abandoned, or without care for long"),
    "missing": Text(zh="来源不明、失踪或被拐卖、收买", en="of unknown origin, missing, abducted or sold"),
    "begging": Text(zh="被组织乞讨", en="made to beg"),
    "bullying": Text(zh="学生欺凌", en="bullying"),
    "other": Text(zh="其他严重侵害身心健康，或正面临不法侵害危险", en="other grave harm, or danger of it"),
}
STEPS: Final[Mapping[Step, Text]] = {
    "addition": Text(zh="补充", en="added"),
    "identified": Text(zh="确认学生与情形", en="pupil and situation identified"),
    "acknowledged": Text(zh="已受理", en="taken up"),
    "police_informed": Text(zh="已报告公安机关", en="police informed"),
    "guardians_informed": Text(zh="已告知监护人", en="guardians informed"),
    "guardians_not_informed": Text(zh="未告知监护人及理由", en="guardians not informed, and why"),
    "escalated": Text(zh="逾期，已上报区县", en="overdue; the district was told"),
    "closed": Text(zh="办结", en="closed"),
}
#: For whoever cannot wait for a computer.
PAPER: Final = Text(
    zh="情况紧急或系统不可用时，请立即拨打 110，并当面或电话报告校长和区县教育局，记下时间地点和所见；事后在此补报。",
    en="In an emergency, or when the system does not answer, call the police (110) at once and tell the principal and "
    "the education bureau in person or by telephone; note time, place and what you saw, and report here afterwards.",
)

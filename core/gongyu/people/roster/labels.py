"""The options of the national student register (学籍系统): its cells carry the label, its codes are kept here.

Labels and codes: the register's own 填表说明; kinship codes: GB/T 4761. Only the options of columns that are read.
"""

from collections.abc import Mapping

from gongyu.people.roster.canonical import GuardianshipKind, Sex
from gongyu.people.roster.identity import RESIDENT
from gongyu.people.roster.values import Convert, label

__all__ = ["BOARDING", "DISABILITY", "HEALTH", "ID_TYPE", "LEFT_BEHIND", "RELATION", "SEX", "YES_NO"]

_SEX: Mapping[str, Sex] = {"男": "male", "1": "male", "女": "female", "2": "female", "男性": "male", "女性": "female"}
SEX: Convert = label(_SEX, "男, 女")

_ID_TYPE: Mapping[str, str] = {
    "居民身份证": RESIDENT,
    "身份证": RESIDENT,
    "香港特区护照/身份证明": "6",
    "澳门特区护照/身份证明": "7",
    "台湾居民来往大陆通行证": "8",
    "境外永久居住证": "9",
    "护照": "A",
    "其他": "Z",
    **{code: code for code in "16789AZ"},
}
ID_TYPE: Convert = label(_ID_TYPE, "居民身份证, 护照, 其他 …")

_YES_NO: Mapping[str, bool] = {"是": True, "1": True, "否": False, "0": False, "有": True, "无": False}
YES_NO: Convert = label(_YES_NO, "是, 否")

# Three values: one parent away, both away, or neither; the old yes/no form cannot tell which and is refused.
_LEFT_BEHIND: Mapping[str, str] = {
    "非留守": "none",
    "非留守儿童": "none",
    "否": "none",
    "0": "none",
    "单亲留守": "single",
    "单亲留守儿童": "single",
    "1": "single",
    "双亲留守": "double",
    "双亲留守儿童": "double",
    "2": "double",
}
LEFT_BEHIND: Convert = label(_LEFT_BEHIND, "非留守儿童, 单亲留守儿童, 双亲留守儿童")

_HEALTH: Mapping[str, str] = {
    "健康或良好": "no",
    "健康": "no",
    "良好": "no",
    "10": "no",
    "一般或较弱": "weak",
    "20": "weak",
    "有慢性病": "chronic",
    "30": "chronic",
    "有生理缺陷": "defect",
    "40": "defect",
    "残疾": "disabled",
    "50": "disabled",
}
HEALTH: Convert = label(_HEALTH, "健康或良好, 一般或较弱, 有慢性病, 有生理缺陷, 残疾")

_DISABILITY: Mapping[str, str] = {
    "无残疾": "no",
    "无": "no",
    "否": "no",
    "0": "no",
    **dict.fromkeys(
        ("视力残疾", "听力残疾", "言语残疾", "肢体残疾", "智力残疾", "精神残疾", "多重残疾", "其他残疾", "其他"), "yes"
    ),
}
DISABILITY: Convert = label(_DISABILITY, "无残疾, 视力残疾, 听力残疾 …")

_BOARDING: Mapping[str, bool] = {"走读": False, "1": False, "住校": True, "寄宿": True, "2": True}
BOARDING: Convert = label(_BOARDING, "走读, 住校")

_RELATION: Mapping[str, GuardianshipKind] = {
    **dict.fromkeys(("父亲", "父", "爸爸", "51", "继父", "养父", "继父或养父"), "father"),
    **dict.fromkeys(("母亲", "母", "妈妈", "52", "继母", "养母", "继母或养母"), "mother"),
    **dict.fromkeys(("祖父", "爷爷", "61"), "grandfather"),
    **dict.fromkeys(("祖母", "奶奶", "62"), "grandmother"),
    **dict.fromkeys(("外祖父", "外公", "姥爷", "63"), "maternal_grandfather"),
    **dict.fromkeys(("外祖母", "外婆", "姥姥", "64"), "maternal_grandmother"),
    **dict.fromkeys(
        ("祖父母或外祖父母", "亲属", "其他亲属", "叔叔", "伯伯", "伯父", "叔父", "姑姑", "舅舅", "姨妈", "97"),
        "relative",
    ),
    **dict.fromkeys(
        ("兄", "弟", "姐", "妹", "哥哥", "姐姐", "弟弟", "妹妹", "兄弟姐妹", "70", "71", "73", "75", "77"), "sibling"
    ),
    **dict.fromkeys(("监护人", "其他监护人"), "guardian"),
    **dict.fromkeys(("其他", "非亲属", "98", "99"), "other"),
}
RELATION: Convert = label(_RELATION, "父亲, 母亲, 祖父, 祖母, 外祖父, 外祖母, 其他 …")

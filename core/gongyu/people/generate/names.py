"""Names as they are in China today: the common surnames are very common, and a name tells the generation.

Some characters are rare on purpose: outside GBK (㛃, 䶮) and outside the Basic Multilingual Plane (𬭚), they are what a
name meets on its way through encodings, columns counted in UTF-16 and fonts.
"""

from typing import Literal

from gongyu.people.generate.chance import Chance

__all__ = ["RARE", "Generation", "given_name", "surname"]

Generation = Literal["child", "parent", "grandparent"]

RARE = ("𬭚", "㛃", "䶮")

_SURNAMES: tuple[str, ...] = (
    *"王李张刘陈" * 7,
    *"杨黄赵吴周徐孙马朱胡" * 3,
    *"郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董" * 2,
    *"袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵",
    "欧阳",
    "上官",
)
_GIVEN: dict[tuple[Generation, str], tuple[str, str]] = {
    # The first is for the first of two characters, the second for the last or only one.
    ("child", "male"): ("子浩宇俊梓一明博思嘉泽文天皓奕景承睿家志", "轩涵睿泽宸辰然豪杰铭洋博航翔远晨霖恒阳朗"),
    ("child", "female"): ("雨梓欣思诗语佳若可一嘉依梦心静晓艺芷予悦", "涵萱怡彤妍瑶琪雯婷欣玥桐菲晴然萌宁岚溪悦"),
    ("parent", "male"): ("志建文海国晓俊永少伟立德洪世春宏光明家振", "强伟军勇斌波涛鹏辉超刚平峰亮飞磊杰龙毅江"),
    ("parent", "female"): ("晓丽玉春秀小红雪海美艳文金冬慧海燕亚翠凤", "芳娟敏静燕霞艳玲丽红梅萍莉华琴英洁云娜洋"),
    ("grandparent", "male"): ("国建德永志文正福长金广玉明春世家光忠成洪", "华生林山祥荣发贵良清顺海义平安元庆才富福"),
    ("grandparent", "female"): ("秀桂玉淑凤金春兰翠美素巧月菊腊冬银爱莲彩", "英兰珍芳梅莲香华云花荣琴玲凤娥菊芝枝清连"),
}


def surname(chance: Chance) -> str:
    return chance.pick(_SURNAMES)


def given_name(chance: Chance, sex: str, generation: Generation) -> str:
    first, last = _GIVEN[generation, sex]
    if chance.happens(0.12):
        return chance.pick(last)
    return chance.pick(first) + chance.pick(last)

from typing import Literal

import pytest
from argon2 import PasswordHasher

from gongyu.access.passwords import Passwords, longest_age, shortcomings

SHORT = "at least 8 characters"
LONG = "at most 128 characters"
COMMON = "it is common and easily guessed"
OWN = "it must not contain the user name, name or the like"
KINDS = "three of capital letters, small letters, digits and symbols are needed"


@pytest.mark.parametrize(
    ("password", "asvs", "mlps3"),
    [
        ("correct horse battery", [], [KINDS]),
        ("Correct horse 7", [], []),
        ("我家门前有两棵枣树", [], [KINDS]),
        ("", [SHORT], [SHORT, KINDS]),
        ("Ab1!", [SHORT, COMMON], [SHORT, COMMON]),
        ("password1", [COMMON], [COMMON, KINDS]),
        ("P@ssw0rd", [COMMON], [COMMON]),
        ("1qaz2wsx", [COMMON], [COMMON, KINDS]),
        ("a123456789", [COMMON], [COMMON, KINDS]),
        ("aaaaaaaaaaaa", [COMMON], [COMMON, KINDS]),
        ("2026-09-01", [COMMON], [COMMON, KINDS]),
        ("xx-ZHANGSAN-42", [OWN], [OWN]),
        ("张三的密码一二三四五", [], [KINDS]),
        ("x9" * 65, [LONG, COMMON], [LONG, COMMON, KINDS]),
    ],
)
def test_each_policy_names_everything_that_is_wrong(password: str, asvs: list[str], mlps3: list[str]) -> None:
    policies: tuple[Literal["asvs", "mlps3"], ...] = ("asvs", "mlps3")
    about = ["zhangsan", "张三"]
    found = [[text.en for text in shortcomings(policy, password, about=about)] for policy in policies]
    assert found == [asvs, mlps3]
    assert all(text.zh for text in shortcomings("mlps3", password, about=about))


def test_only_mlps3_wants_a_change_from_time_to_time() -> None:
    ages = longest_age("asvs"), longest_age("mlps3")
    assert (ages[0], ages[1] and ages[1].days) == (None, 90)


async def test_password_is_taken_as_typed_and_kept_as_argon2id() -> None:
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    kept = await passwords.hash(" Ｐass 密码 ")
    assert kept.startswith("$argon2id$")
    tries = [" Ｐass 密码 ", "Ｐass 密码", " Pass 密码 ", " ｐass 密码 ", ""]
    assert [await passwords.matches(kept, text) for text in tries] == [True, False, False, False, False]
    assert not await passwords.matches(None, "")
    assert not await passwords.matches("no hash at all", "x")
    assert Passwords().is_outdated(kept)
    assert not passwords.is_outdated(kept)

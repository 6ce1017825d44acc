"""What a family is told is true, complete, and about nobody else."""

from functools import partial
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gongyu_mentor.answer import make_answer
from gongyu_mentor.definitions import Small, changed, chosen, random_market
from gongyu_mentor.explanations import HIDDEN_BELOW, Position, explain, reason, refusal_reason
from gongyu_mentor.instance import Instance, Mentor
from gongyu_mentor.matching import NOBODY, Result, solve

examples = partial(settings, deadline=None, derandomize=True)
markets = st.builds(
    random_market,
    st.builds(Random, st.integers(0, 2**32)),
    students=st.integers(1, 12),
    mentors=st.integers(1, 4),
    rules=st.booleans(),
    reserves=st.booleans(),
)


def expected_code(market: Small, result: Result, student: int, mentor: int) -> str:
    """From the assignment alone: who would have to go if this student came, and what puts the last one before it."""
    if not market.may(student, mentor):
        return "NOT_ELIGIBLE"
    seats = result.capacities[mentor]
    if not seats:
        return "CLOSED"
    held = {s for s in market.students if result.stable[s] == mentor}
    key = market.key[student, mentor]
    if any(market.key[s, mentor] > key for s in held):
        return "FULL_POLICY"
    open_seats = held - set(sorted(held & market.group, key=lambda s: market.key[s, mentor])[: market.reserves[mentor]])
    rivals = held if student in market.group else open_seats
    if not rivals:
        return "FULL_POLICY"
    assert student not in chosen(market, mentor, held | {student}, seats, market.reserves[mentor])
    last = max(market.key[s, mentor] for s in rivals)
    return next(
        f"FULL_{name}"
        for name, mine, theirs in zip(("CLASS", "BAND", "LOTTERY"), key, last, strict=True)
        if mine != theirs
    )


@examples(max_examples=400)
@given(markets, st.booleans())
def test_every_code_and_position_follows_from_the_assignment_alone(market: Small, complete: bool) -> None:  # noqa: FBT001 - drawn
    result = solve(market.snapshot(), complete=complete)
    for student, told in enumerate(explain(market.snapshot(), result)):
        given, wishes = result.stable[student], market.lists[student]
        above = wishes if given == NOBODY else wishes[: wishes.index(given)]
        if given != NOBODY:
            assert told.code == f"CHOICE_{wishes.index(given) + 1}"
        else:
            assert told.code == ("UNMATCHED" if result.final[student] == NOBODY else "COMPLETION")
        assert told.mentor == result.final[student]
        assert [refusal.mentor for refusal in told.refusals] == above, "one code per better-listed mentor"
        for refusal in told.refusals:
            mentor = refusal.mentor
            assert refusal.code == expected_code(market, result, student, mentor)
            queue = sorted(
                market.key[s, mentor]
                for s in market.students
                if mentor in market.acceptable(s)
                and (result.stable[s] == NOBODY or wishes_at_least(market, s, mentor, result.stable[s]))
            )
            if not refusal.code.startswith("FULL") or len(queue) < HIDDEN_BELOW:
                assert refusal.position is None
            else:
                place = queue.index(market.key[student, mentor]) + 1
                assert refusal.position == Position(place, len(queue), result.capacities[mentor])
                if refusal.code != "FULL_POLICY":
                    assert place > result.capacities[mentor]


def wishes_at_least(market: Small, student: int, mentor: int, given: int) -> bool:
    wishes = market.lists[student]
    return wishes.index(mentor) <= wishes.index(given)


@examples(max_examples=100)
@given(markets)
def test_kept_pairs_are_told_so_and_are_in_nobodys_queue(market: Small) -> None:
    kept = [0, *[NOBODY] * (len(market.lists) - 1)]
    market = changed(market, kept=kept)
    result = solve(market.snapshot())
    told = explain(market.snapshot(), result, hidden_below=0)
    assert (told[0].code, told[0].mentor, told[0].refusals) == ("KEPT", 0, [])
    for other in told[1:]:
        for refusal in other.refusals:
            if refusal.position is not None and refusal.mentor == 0:
                assert refusal.position.seats == result.capacities[0] - 1


def school(group: list[str], reserve: int) -> dict[str, Any]:
    """Seven students want 王; three seats. 甲 and 乙 are starred, the rest is one tie."""
    names = list("甲乙丙丁戊己庚")
    instance = Instance(
        students={name: ["王", "李"] for name in names},
        mentors={"王": Mentor(3, [names[:2], names[2:]]), "李": Mentor(9, [names])},
        group=group,
        reserves={"王": reserve},
    )
    answer = make_answer(instance, seed="2025", explained=True)
    explanations: dict[str, Any] = answer["explanations"]
    return explanations


def test_the_words_are_these_and_name_nobody() -> None:
    plain = school([], 0)
    assert plain["甲"] == {
        "code": "CHOICE_1",
        "text": {"zh": "这是你的第 1 志愿。", "en": "This was your choice number 1."},
        "refused": [],
    }
    refused = [told["refused"][0] for told in plain.values() if told["refused"]]
    assert {entry["code"] for entry in refused} == {"FULL_LOTTERY"}
    assert sorted(entry["position"]["place"] for entry in refused) == [4, 5, 6, 7]
    assert next(entry for entry in refused if entry["position"]["place"] == 4) == {
        "mentor": "王",
        "code": "FULL_LOTTERY",
        "position": {"place": 4, "of": 7, "seats": 3},
        "text": {
            "zh": "名额已满：最后一位结对的同学抽签号在前。在已结对或更想选该导师的 7 人中排第 4 位，名额 3 个。",
            "en": "Full: the last one admitted had precedence by lottery number. "
            "Position 4 of 7 who are there or would rather be there, for 3 seats.",
        },
    }


def test_a_seat_lost_to_the_reserve_says_policy_and_never_group() -> None:
    third = next(name for name, told in school([], 0).items() if name not in "甲乙" and not told["refused"])
    last = max(
        (told["refused"][0]["position"]["place"], name) for name, told in school([], 0).items() if told["refused"]
    )[1]
    told = school([last], 1)
    assert told[last]["code"] == "CHOICE_1"
    assert told[third]["refused"][0]["code"] == "FULL_POLICY"
    assert told[third]["refused"][0]["position"] == {"place": 3, "of": 7, "seats": 3}
    for student, explanation in told.items():
        said = [explanation["text"], *(entry["text"] for entry in explanation["refused"])]
        words = " ".join(text for pair in said for text in pair.values())
        assert not any(name in words for name in told if name != student)
        assert not any(word in words.lower() for word in ("group", "reserve", "care", "关爱", "预留", "留守"))


def test_a_short_queue_stays_hidden() -> None:
    instance = Instance(students={name: ["王"] for name in "甲乙丙丁"}, mentors={"王": Mentor(1, list("甲乙丙丁"))})
    told = make_answer(instance, seed="2025", explained=True)["explanations"]
    assert [told[name]["refused"] for name in "丁"] == [
        [
            {
                "mentor": "王",
                "code": "FULL_BAND",
                "text": {
                    "zh": "名额已满：最后一位结对的同学是该导师优先选择的。",
                    "en": "Full: the last one admitted had precedence by the mentor's choice.",
                },
            }
        ]
    ]


@examples(max_examples=50)
@given(markets)
def test_every_explanation_has_words_in_both_languages(market: Small) -> None:
    for told in explain(market.snapshot(), solve(market.snapshot()), hidden_below=0):
        for words in (reason(told), *map(refusal_reason, told.refusals)):
            assert words.zh.endswith("。")
            assert words.en.endswith(".")
            assert "{" not in words.zh + words.en

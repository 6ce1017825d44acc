"""Instances whose answers are printed in the literature, in the file format; class mentors are one more."""

from itertools import permutations

import msgspec
import pytest

from gongyu_mentor.answer import make_answer
from gongyu_mentor.definitions import Small, all_stable
from gongyu_mentor.instance import decode

Ranks = dict[str, str]


def instance(students: Ranks, mentors: Ranks, capacity: int | dict[str, int] = 1) -> bytes:
    """Rankings as words: `{"a": "A B"}`."""
    units = {
        name: {
            "capacity": capacity if isinstance(capacity, int) else capacity[name],
            "priority": priority.split(),
        }
        for name, priority in mentors.items()
    }
    return msgspec.json.encode(
        {"students": {name: wishes.split() for name, wishes in students.items()}, "mentors": units}
    )


def assignment(content: bytes, *, complete: bool = False) -> dict[str, str | None]:
    given: dict[str, str | None] = make_answer(decode(content), seed="any", complete=complete)["assignment"]
    return given


def stable_marriages(men: Ranks, women: Ranks) -> list[dict[str, str]]:
    """By trying all pairings, against the definition of 1962."""
    suits = {m: {w: place for place, w in enumerate(wishes.split())} for m, wishes in men.items()}
    likes = {w: {m: place for place, m in enumerate(wishes.split())} for w, wishes in women.items()}
    found = []
    for picks in permutations(women):
        wife = dict(zip(men, picks, strict=True))
        husband = {w: m for m, w in wife.items()}
        if not any(suits[m][w] < suits[m][wife[m]] and likes[w][m] < likes[w][husband[w]] for m in men for w in women):
            found.append(wife)
    return found


GALE_SHAPLEY_1 = ({"α": "A B C", "β": "B C A", "γ": "C A B"}, {"A": "β γ α", "B": "γ α β", "C": "α β γ"})
GALE_SHAPLEY_2 = (
    {"α": "A B C D", "β": "A D C B", "γ": "B A C D", "δ": "D B C A"},
    {"A": "δ γ α β", "B": "β δ α γ", "C": "δ α β γ", "D": "γ β α δ"},
)
KNUTH = (
    {"m1": "w1 w2 w3 w4", "m2": "w2 w1 w4 w3", "m3": "w3 w4 w1 w2", "m4": "w4 w3 w2 w1"},
    {"w1": "m4 m3 m2 m1", "w2": "m3 m4 m1 m2", "w3": "m2 m1 m4 m3", "w4": "m1 m2 m3 m4"},
)


def of_digits(men: str, women: str) -> tuple[Ranks, Ranks]:
    """Rankings of up to nine as rows of digits, the way the literature prints them."""

    def rows(side: str, other: str, text: str) -> Ranks:
        return {f"{side}{n}": " ".join(other + digit for digit in row) for n, row in enumerate(text.split(), 1)}

    return rows("m", "w", men), rows("w", "m", women)


MCVITIE_WILSON = of_digits(
    "57126843 23754186 85146237 32741685 72513684 16758423 25763481 38457261",
    "53761284 86357214 15624873 87324156 64738125 28546371 75218643 74152368",
)
GUSFIELD_IRVING = of_digits(
    "31574286 61348752 74365128 53826147 41287365 62578431 78162345 26718345",
    "43812576 37586412 75836214 64273158 87156432 54762831 14562837 25437816",
)


@pytest.mark.parametrize(
    ("market", "how_many", "best"),
    [
        pytest.param(GALE_SHAPLEY_1, 3, "A B C", id="Gale-Shapley 1962, example 1"),
        pytest.param(GALE_SHAPLEY_2, 1, "C D A B", id="Gale-Shapley 1962, example 2"),
        pytest.param(KNUTH, 10, "w1 w2 w3 w4", id="Knuth 1976; Roth-Sotomayor 1990, example 2.17"),
        pytest.param(MCVITIE_WILSON, 9, "w5 w3 w8 w6 w7 w1 w2 w4", id="McVitie-Wilson 1971, size 8"),
        pytest.param(GUSFIELD_IRVING, 23, "w3 w1 w7 w5 w4 w6 w8 w2", id="Irving-Leather-Gusfield 1987, size 8"),
    ],
)
def test_textbook_marriages_get_the_published_answer(market: tuple[Ranks, Ranks], how_many: int, best: str) -> None:
    men, women = market
    expected = dict(zip(men, best.split(), strict=True))
    stable = stable_marriages(men, women)
    assert len(stable) == how_many
    assert expected in stable
    assert assignment(instance(men, women)) == expected


def test_colleges_of_roth_get_the_published_answer() -> None:
    """Roth 1985: colleges with quotas, where the students' best outcome is not what the colleges would pick."""
    students = {"s1": "C3 C1 C2", "s2": "C2 C1 C3", "s3": "C1 C3 C2", "s4": "C1 C2 C3"}
    colleges = {"C1": "s1 s2 s3 s4", "C2": "s1 s2 s3 s4", "C3": "s3 s1 s2 s4"}
    quotas = {"C1": 2, "C2": 1, "C3": 1}
    expected = {"s1": "C3", "s2": "C2", "s3": "C1", "s4": "C1"}
    assert assignment(instance(students, colleges, quotas)) == expected


def test_residents_of_the_nrmp_get_the_published_answer() -> None:
    """The example with which the National Resident Matching Program explains its match."""
    applicants = {
        "Anderson": "City",
        "Chen": "City Mercy",
        "Ford": "City General Mercy",
        "Davis": "Mercy City General",
        "Eastman": "City Mercy General",
    }
    programmes = {
        "Mercy": "Chen Ford",
        "City": "Eastman Anderson Chen Davis Ford",
        "General": "Eastman Anderson Ford Davis",
    }
    assert assignment(instance(applicants, programmes, 2)) == {
        "Anderson": "City",
        "Chen": "Mercy",
        "Davis": "General",
        "Eastman": "City",
        "Ford": "General",
    }


def test_a_reserve_is_filled_first_and_open_to_all_when_left() -> None:
    """The walk-zone debate with two seats: the best member takes the reserved seat, not an open one."""
    students = dict.fromkeys(["best member", "second", "third", "last member"], "M")
    ranking = ["best member", "second", "third", "last member"]
    units = {"M": {"capacity": 2, "priority": ranking}}
    base = {"students": {name: [mentor] for name, mentor in students.items()}, "mentors": units, "reserves": {"M": 1}}

    def admitted(group: list[str]) -> set[str]:
        given = assignment(msgspec.json.encode({**base, "group": group}))
        return {name for name, mentor in given.items() if mentor}

    assert admitted(["best member", "last member"]) == {"best member", "second"}
    assert admitted(["last member"]) == {"best member", "last member"}
    assert admitted([]) == {"best member", "second"}


def test_a_class_gets_one_party_member_teacher_on_the_same_engine() -> None:
    """Classes propose, each teacher takes one; with as many teachers as classes everybody is served."""
    classes = {"七(1)班": "王 李", "七(2)班": "王 李", "七(3)班": "王"}
    everybody = "七(3)班 七(1)班 七(2)班"
    teachers = dict.fromkeys(["王", "李", "陈"], everybody)
    assert assignment(instance(classes, teachers)) == {"七(1)班": "李", "七(2)班": None, "七(3)班": "王"}
    assert assignment(instance(classes, teachers), complete=True) == {
        "七(1)班": "李",
        "七(2)班": "陈",
        "七(3)班": "王",
    }


def test_the_definitions_agree_with_the_textbooks_too() -> None:
    """The second opinion is checked against print as well: Gale and Shapley's three stable matchings."""
    men, women = GALE_SHAPLEY_1
    at = {name: index for index, name in enumerate(women)}
    market = Small(
        lists=[[at[name] for name in wishes.split()] for wishes in men.values()],
        key={(s, m): (1, women[w].split().index(man), s) for s, man in enumerate(men) for m, w in enumerate(women)},
        soft=[1, 1, 1],
        hard=[1, 1, 1],
        reserves=[0, 0, 0],
    )
    assert sorted(all_stable(market, market.soft)) == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]

"""`gongyu mentor match` from the outside: files in, bytes and exit codes out."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gongyu_mentor.commands import mentor
from gongyu_mentor.instance import MAX_BYTES

INSTANCE: dict[str, Any] = {
    "students": {"s1": ["m1", "m2"], "s2": ["m1"], "s3": ["m1", "m2"], "张三": []},
    "mentors": {
        "m1": {"capacity": 1, "priority": ["s2", ["s1", "s3"], "张三"]},
        "m2": {"capacity": 3, "priority": [["张三", "s3", "s1", "s2"]]},
    },
}

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `match` in an empty folder with files written there: a dict as JSON, text and bytes as they are."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, **files: object) -> Result:
        for stem, content in files.items():
            raw = content if isinstance(content, bytes) else str(content).encode()
            Path(f"{stem}.json").write_bytes(json.dumps(content).encode() if isinstance(content, dict) else raw)
        return CliRunner().invoke(mentor, ["match", "instance.json", *options])

    return run


def answer(result: Result) -> dict[str, Any]:
    assert (result.exit_code, result.stderr) == (0, "")
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def edited(**changes: object) -> dict[str, Any]:
    return {**INSTANCE, **changes}


def test_the_default_answer_is_the_stable_phase_and_its_figures(run: Run) -> None:
    assert answer(run("--seed", "2025", instance=INSTANCE)) == {
        "assignment": {"s1": "m2", "s2": "m1", "s3": "m2", "张三": None},
        "figures": {
            "students": 4,
            "matched": 3,
            "unmatched": 1,
            "rank_distribution": {"1": 1, "2": 2},
            "completed": 0,
            "kept": 0,
            "mentors": 2,
            "seats": 4,
            "loads": {"min": 1, "max": 2},
            "proposals": 5,
            "snapshot_hash": "4eb5c65e9ebffd1f07228433e5c2859b233049596da79ccc8c34095715a4a126",
            "seed_hash": sha256(b"2025").hexdigest(),
        },
    }


def test_complete_and_explain_add_what_they_say(run: Run) -> None:
    found = answer(run("--complete", "--explain", instance=INSTANCE))
    assert found["assignment"] == {"s1": "m2", "s2": "m1", "s3": "m2", "张三": "m2"}
    assert {student: told["code"] for student, told in found["explanations"].items()} == {
        "s1": "CHOICE_2",
        "s2": "CHOICE_1",
        "s3": "CHOICE_2",
        "张三": "COMPLETION",
    }
    assert [refused["code"] for refused in found["explanations"]["s1"]["refused"]] == ["FULL_BAND"]


def test_a_shortage_tells_who_competes_for_which_seats(run: Run) -> None:
    mentors = {
        "m1": {"capacity": 1, "priority": ["s1", "s2"]},
        "m2": {"capacity": 9, "priority": ["s3", "张三"]},
    }
    result = run("--complete", instance=edited(mentors=mentors))
    assert result.exit_code == 0
    assert "缺 1 个" in result.stderr
    assert "1 seats short" in result.stderr
    assert json.loads(result.stdout)["shortage"] == [
        {"students": ["s1", "s2"], "mentors": ["m1"], "seats": 1, "missing": 1}
    ]


def test_a_rematch_keeps_every_pair_whose_mentor_stays(run: Run) -> None:
    before = answer(run("--complete", instance=INSTANCE))
    mentors = {**INSTANCE["mentors"], "m3": {"capacity": 9, "priority": [["s1", "s2", "s3", "张三"]]}}
    after = answer(
        run("--complete", "--previous", "before.json", "--gone", "m1", instance=edited(mentors=mentors), before=before)
    )
    assert after["assignment"] == {"s1": "m2", "s2": "m3", "s3": "m2", "张三": "m2"}
    assert (after["figures"]["kept"], after["figures"]["completed"]) == (3, 1)
    del mentors["m1"]
    students = {"s1": ["m2"], "s2": ["m3"], "s3": [], "张三": [], "新": ["m2"]}
    mentors["m2"] = {"capacity": 3, "priority": ["s1", "新"]}
    mentors["m3"] = {"capacity": 9, "priority": [["s2", "新"]]}
    without = {"students": students, "mentors": mentors}
    after = answer(run("--complete", "--previous", "before.json", "--gone", "m1", instance=without, before=before))
    assert after["assignment"] == {"s1": "m2", "s2": "m3", "s3": "m2", "张三": "m2", "新": "m3"}


def test_what_if_shows_the_difference_and_leaves_the_answer_alone(run: Run) -> None:
    plain = answer(run("--complete", instance=INSTANCE))
    found = answer(
        run("--complete", "--what-if", "m1.capacity=2,m2.reserve=1", "--what-if", "m2.capacity=4", instance=INSTANCE)
    )
    scenarios = found.pop("what_if")
    assert found == plain
    (move,) = scenarios[0]["moves"].values()
    assert move == {"from": "m2", "to": "m1"}
    assert scenarios[0]["after"]["figures"]["rank_distribution"] == {"1": 2, "2": 1}
    assert scenarios[0]["after"]["loads"] == {"m1": 2, "m2": 2}
    assert scenarios[1]["moves"] == {}


def test_an_id_may_hold_dots_commas_and_equals(run: Run) -> None:
    odd = "a.b,c=d"
    market = {"students": {"s": [odd]}, "mentors": {odd: {"capacity": 0, "priority": ["s"]}}}
    found = answer(run("--what-if", f"{odd}.capacity=1,{odd}.reserve=1", instance=market))
    assert found["what_if"][0]["moves"] == {"s": {"from": None, "to": odd}}


def test_out_writes_the_same_bytes_and_nothing_else(run: Run, tmp_path: Path) -> None:
    printed = run("--explain", instance=INSTANCE)
    result = run("--explain", "--out", "answer.json", instance=INSTANCE)
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "answer.json").read_bytes() == printed.stdout_bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json", "instance.json"]


def test_the_same_snapshot_and_seed_give_the_same_bytes_whatever_the_order_and_process(
    run: Run, tmp_path: Path
) -> None:
    names = [f"学生{n}" for n in range(40)]
    tutors = [f"导师{n}" for n in range(6)]
    students = {name: list(dict.fromkeys([tutors[n % 6], tutors[n * 5 % 6]])) for n, name in enumerate(names)}
    units = {name: {"capacity": 5, "priority": [names[n + 1 :], names[: n + 1]]} for n, name in enumerate(tutors)}
    reserves = dict.fromkeys(tutors, 1)
    market = {"students": students, "mentors": units, "group": names[::7], "reserves": reserves}
    other_way = {
        "reserves": dict(reversed(reserves.items())),
        "group": names[::7][::-1],
        "mentors": {
            name: {"priority": [tie[::-1] for tie in unit["priority"]], "capacity": 5}  # type: ignore[attr-defined]  # two ties
            for name, unit in reversed(units.items())
        },
        "students": dict(reversed(students.items())),
    }
    options = ["--complete", "--explain", "--seed", "秘密", "--what-if", "导师1.capacity=2"]
    first = run(*options, instance=market)
    assert run(*options, instance=other_way).stdout_bytes == first.stdout_bytes
    code = "import sys; from gongyu_mentor.commands import mentor; mentor()"
    for hash_seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "LC_ALL": "C",
        }
        command = [sys.executable, "-c", code, "match", "instance.json", *options]
        process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)  # noqa: S603 - our own command
        assert process.stdout == first.stdout_bytes
    assert run(*options[:2], "--seed", "别的", instance=market).stdout_bytes != first.stdout_bytes


def said(result: Result) -> list[str]:
    """The places of the findings; each has its two languages, and nothing was answered."""
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [line.strip() for line in result.stderr.splitlines() if line.startswith("  ")]
    assert all(" · " in line for line in lines)
    return [line.partition("：")[0] for line in lines]


@pytest.mark.parametrize(
    ("content", "places"),
    [
        pytest.param("", ["$"], id="empty file"),
        pytest.param("  \n", ["$"], id="blank file"),
        pytest.param("{", ["$"], id="not JSON"),
        pytest.param("{} {}", ["$"], id="two documents"),
        pytest.param(b"\xff\xfe{}", ["$"], id="not UTF-8"),
        pytest.param("[" * 100_000, ["$"], id="deep nesting"),
        pytest.param('{"students":' * 100_000, ["$"], id="deep nesting of objects"),
        pytest.param("[]", ["$"], id="a list"),
        pytest.param("null", ["$"], id="null"),
        pytest.param("{}", ["$", "$"], id="empty object"),
        pytest.param({"students": [], "mentors": None}, ["$.students", "$.mentors"], id="wrong shapes"),
        pytest.param('{"students":{},"students":{},"mentors":{}}', ["$.students"], id="a field twice"),
        pytest.param('{"students":{"a":[],"a":[]},"mentors":{}}', ["$.students.a"], id="a student twice"),
        pytest.param({"students": {"": []}, "mentors": {}}, ['$.students[""]'], id="empty id"),
        pytest.param({"students": {"a\ud800": []}, "mentors": {}}, [r'$.students["a\ud800"]'], id="half a character"),
        pytest.param({"students": {"a\nb": []}, "mentors": {}}, [r'$.students["a\nb"]'], id="control character"),
        pytest.param(edited(extra=1), ["$.extra"], id="unknown field"),
        pytest.param(edited(group=["s1", "s9", "s1", ["s2"]]), ["$.group[1]", "$.group[2]", "$.group[3]"], id="group"),
        pytest.param(edited(reserves={"m1": -1, "m9": 1}), ["$.reserves.m1", "$.reserves.m9"], id="reserves"),
        pytest.param(
            edited(students={"s1": ["m1", "m1", "m9", 1, None, ["m2", ["m1"]], []]}),
            [f"$.students.s1[{at}]" for at in ("1", "2", "3", "4", "5][1", "6")]
            + [f"$.mentors.{at}" for at in ("m1.priority[0]", "m1.priority[1][1]", "m1.priority[2]")]
            + [f"$.mentors.m2.priority[0][{at}]" for at in (0, 1, 3)],
            id="all at once",
        ),
    ],
)
def test_a_wrong_instance_is_refused_by_place(run: Run, content: object, places: list[str]) -> None:
    assert said(run(instance=content)) == places


@pytest.mark.parametrize(
    "capacity", ["-1", "true", "1.0", "1e3", "null", '"3"', "1000001", "9" * 5000, "NaN", "1e999", "[]", "{}"]
)
def test_a_wrong_capacity_is_refused(run: Run, capacity: str) -> None:
    text = json.dumps({"students": {}, "mentors": {"王 老师": {"capacity": "?", "priority": []}}})
    assert said(run(instance=text.replace('"?"', capacity))) == ['$.mentors["王 老师"].capacity']


def test_a_message_says_what_was_expected_and_found_in_both_languages(run: Run) -> None:
    market = edited(mentors={"m1": {"capacity": True, "priority": []}, "m2": {"capacity": 1, "priority": []}})
    assert run(instance=market).stderr == (
        "instance.json：1 处错误，未作匹配 · errors: 1; nothing was matched\n"
        "  $.mentors.m1.capacity：应为 0 到 1000000 的整数，实为true"
        " · expected a whole number from 0 to 1000000, found true\n"
    )


def test_thousands_of_errors_are_counted_not_printed(run: Run) -> None:
    result = run(instance={"students": {"s": [f"m{n}" for n in range(5000)]}, "mentors": {}})
    assert "errors: 5000;" in result.stderr
    assert len(result.stderr.splitlines()) == 1002
    assert "4000" in result.stderr.splitlines()[-1]


def test_a_huge_file_is_refused_unread(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "instance.json").open("wb") as file:
        file.truncate(1 << 30)
    assert said(run()) == ["instance.json"]
    with (tmp_path / "instance.json").open("wb") as file:
        file.truncate(MAX_BYTES)
    assert "64 MB" in run().stderr


def test_a_file_that_cannot_be_read_is_refused(run: Run, tmp_path: Path) -> None:
    assert said(run()) == ["instance.json"]
    (tmp_path / "instance.json").mkdir()
    assert said(run()) == ["instance.json"]


PREVIOUS = {"assignment": {"s1": "m2", "s2": None}}
WRONG = {"assignment": {"s1": "m9", "s9": "m1", "s2": 3}}


@pytest.mark.parametrize(
    ("options", "previous", "places"),
    [
        (["--gone", "m1"], PREVIOUS, ["--gone"]),
        (["--previous", "previous.json", "--gone", "m1,m9"], PREVIOUS, ["--gone"]),
        (["--previous", "previous.json"], WRONG, [f"$.assignment.{name}" for name in ("s1", "s9", "s2")]),
        (["--previous", "previous.json"], '{"assignment": {"s1": "m1", "s1": "m2"}}', ["$.assignment.s1"]),
        (["--previous", "previous.json"], {"assigned": {}}, ["$"]),
        (["--previous", "previous.json"], "[1]", ["$"]),
        (["--previous", "nothing.json"], PREVIOUS, ["nothing.json"]),
        (["--previous", "previous.json", "--gone", "m1", "--what-if", "m1.capacity=1"], PREVIOUS, ["--what-if"]),
        (["--what-if", ""], PREVIOUS, ["--what-if"]),
        (["--what-if", "m1.capacity"], PREVIOUS, ["--what-if"]),
        (["--what-if", "m1.size=1"], PREVIOUS, ["--what-if"]),
        (["--what-if", "m9.capacity=1"], PREVIOUS, ["--what-if"]),
        (["--what-if", "m1.capacity=-1"], PREVIOUS, ["--what-if"]),
        (["--what-if", "m1.capacity=１"], PREVIOUS, ["--what-if"]),
        (["--what-if", "m1.capacity=1000001"], PREVIOUS, ["--what-if"]),
        (["--what-if", "m1.capacity=1,,"], PREVIOUS, ["--what-if"]),
        (["--seed", ""], PREVIOUS, ["--seed"]),
        (["--out", "instance.json"], PREVIOUS, ["--out"]),
        (["--out", "previous.json", "--previous", "previous.json"], PREVIOUS, ["--out"]),
        (["--out", "nowhere/answer.json"], PREVIOUS, ["--out"]),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused(run: Run, options: list[str], previous: object, places: list[str]) -> None:
    assert said(run(*options, instance=INSTANCE, previous=previous)) == places


def test_the_wrong_use_of_the_command_ends_in_two(run: Run) -> None:
    assert run("--no-such-option", instance=INSTANCE).exit_code == 2
    assert CliRunner().invoke(mentor, ["match"]).exit_code == 2
    assert CliRunner().invoke(mentor, ["match", "--help"]).exit_code == 0


def test_an_instance_without_students_has_an_empty_answer(run: Run) -> None:
    assert answer(run("--complete", "--explain", instance={"students": {}, "mentors": {}}))["assignment"] == {}


def test_a_reserve_above_the_capacity_means_every_seat(run: Run) -> None:
    found = answer(run(instance=edited(group=["s1"], reserves={"m1": 5})))
    assert found["assignment"]["s1"] == "m1"


def test_a_byte_order_mark_is_no_error(run: Run) -> None:
    assert answer(run(instance=b"\xef\xbb\xbf" + json.dumps(INSTANCE).encode()))["assignment"]["s2"] == "m1"


def test_a_tie_among_choices_is_broken_the_same_way_for_any_order(run: Run) -> None:
    market = edited(students={**INSTANCE["students"], "s1": [["m1", "m2"]]})
    other = edited(students={**INSTANCE["students"], "s1": [["m2", "m1"]]})
    assert run(instance=market).stdout_bytes == run(instance=other).stdout_bytes

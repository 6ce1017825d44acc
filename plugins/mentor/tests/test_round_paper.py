"""The Excel form: out, filled in, back in; every wrong cell is told and nothing is half taken."""

import asyncio
from io import BytesIO
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import click
import httpx
import sqlalchemy as sa
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from gongyu.testing.deployment import Deployment
from gongyu_mentor.models import Assignment, Preference, Run
from gongyu_mentor.rounds_commands import COMMANDS

from .conftest import Site
from .test_round_life import run_and_publish


async def _form(site: Site, round_id: str) -> Any:  # noqa: ANN401 - a workbook, whose sheets are not typed by name
    path = f"/rounds/{round_id}/classes/{site.school.class_id}/choices.xlsx"
    answer = await site.ask(site.school.head, "GET", path)
    assert answer.status_code == 200, answer.text
    return load_workbook(BytesIO(answer.content))


async def _take(site: Site, round_id: str, content: bytes) -> httpx.Response:
    headers = {**site.headers(site.school.head), "content-type": "application/octet-stream"}
    async with site.client() as client:
        return await client.post(f"/rounds/{round_id}/choices.xlsx", content=content, headers=headers)


def _saved(book: Any) -> bytes:  # noqa: ANN401 - as above
    out = BytesIO()
    book.save(out)
    return out.getvalue()


async def test_a_form_goes_out_and_comes_back_as_it_was_filled(site: Site) -> None:
    round_id = await site.open_round()
    own, (first, second) = site.school.students[0], site.school.mentors[:2]
    wish = {"choices": [str(first), str(second)]}
    await site.done(own, "PUT", f"/rounds/{round_id}/preferences/mine", wish)
    book = await _form(site, round_id)
    choices, mentors = book["志愿 choices"], book["导师 mentors"]
    number_of = {row[6].value: row[0].value for row in mentors.iter_rows(min_row=2)}
    assert [choices.cell(2, column).value for column in (4, 5, 6)] == [
        number_of[str(first)],
        number_of[str(second)],
        None,
    ]
    for line in range(3, 7):
        choices.cell(line, 4, line - 1)
        choices.cell(line, 6, "1")  # a gap closes up
    taken = await _take(site, round_id, _saved(book))
    assert (taken.status_code, taken.json()) == (200, {"taken": 4, "own": []})
    rows = await site.rows(sa.select(Preference.source, sa.func.count()).group_by(Preference.source))
    assert dict(map(tuple, rows)) == {"own": 1, "paper": 4}

    again = await _form(site, round_id)
    mentor_of = {number: mentor for mentor, number in number_of.items()}
    filed = {str(r.student_id): [str(c) for c in r.choices] for r in await site.rows(sa.select(Preference))}
    shown = {
        row[2].value: [mentor_of[int(cell.value)] for cell in row[3:] if cell.value is not None]
        for row in again["志愿 choices"].iter_rows(min_row=2)
    }
    assert {student: wishes for student, wishes in shown.items() if wishes} == filed
    unchanged = await _take(site, round_id, _saved(again))
    assert unchanged.json() == {"taken": 0, "own": []}


async def test_a_pupils_own_list_stands_and_the_row_is_told(site: Site) -> None:
    """Filed before the form comes in: paper gives way, where it says something else. Filed after it: it wins."""
    round_id = await site.open_round()
    form = await _form(site, round_id)
    first, second, third = site.school.students[:3]
    mentors = [row[6].value for row in form["导师 mentors"].iter_rows(min_row=2)]
    at = {row[2].value: row[0].row for row in form["志愿 choices"].iter_rows(min_row=2)}
    path = f"/rounds/{round_id}/preferences/mine"
    for pupil in (first, second):
        await site.done(pupil, "PUT", path, {"choices": [mentors[0]]})
    form["志愿 choices"].cell(at[str(first)], 4, 2)  # another mentor
    form["志愿 choices"].cell(at[str(third)], 4, 3)  # the second pupil's row stays empty
    taken = await _take(site, round_id, _saved(form))
    told = {"pointer": f"志愿 choices!D{at[str(first)]}", "detail": "filed by the pupil, whose own list stands"}
    assert taken.json() == {"taken": 1, "own": [told]}
    await site.done(third, "PUT", path, {"choices": [mentors[1]]})
    filed = {
        row.student_id: (row.source, list(map(str, row.choices))) for row in await site.rows(sa.select(Preference))
    }
    assert filed == {
        first: ("own", [mentors[0]]),
        second: ("own", [mentors[0]]),
        third: ("own", [mentors[1]]),
    }


async def test_every_wrong_cell_is_told_and_no_row_is_taken(site: Site) -> None:
    round_id = await site.open_round()
    wish = {"choices": [str(site.school.mentors[0])]}
    await site.done(site.school.students[0], "PUT", f"/rounds/{round_id}/preferences/mine", wish)
    book = await _form(site, round_id)
    sheet = book["志愿 choices"]
    sheet["D3"], sheet["E3"] = 3, 3
    sheet["D4"] = "张老师"
    sheet["D5"] = 99
    sheet["D6"] = "=1+1"
    sheet["C7"] = str(site.schools[1].students[0])
    sheet["C8"] = sheet["C9"].value
    sheet["D10"] = 1  # right, and not taken either
    answer = await _take(site, round_id, _saved(book))
    found = {error["pointer"]: error["detail"] for error in answer.json()["errors"]}
    assert (answer.status_code, found) == (
        422,
        {
            "志愿 choices!E3": "given twice",
            "志愿 choices!D4": "expected a number of the mentors' sheet",
            "志愿 choices!D5": "expected a number of the mentors' sheet",
            "志愿 choices!D6": "expected a number of the mentors' sheet",
            "志愿 choices!C7": "no student of this round",
            "志愿 choices!C9": "this student is there twice",
        },
    )
    assert len(await site.rows(sa.select(Preference.student_id))) == 1
    for content in (b"", b"PK\x03\x04 not a workbook", b"x" * 1000):
        assert (await _take(site, round_id, content)).status_code == 422


async def test_after_the_first_run_no_form_is_taken(site: Site) -> None:
    round_id = await site.open_round(choosing=False)
    book = await _form(site, round_id)
    book["志愿 choices"]["D2"] = 1
    late = await _take(site, round_id, _saved(book))
    assert late.json() == {"taken": 1, "own": []}  # filled in time, typed in after the deadline
    await site.done(site.school.head, "POST", f"/rounds/{round_id}/runs")
    book["志愿 choices"]["D2"] = 2
    assert (await _take(site, round_id, _saved(book))).status_code == 409


async def test_the_school_prints_who_has_whom(site: Site) -> None:
    round_id = await site.open_round(choosing=False)
    await site.file_lists(round_id)
    await run_and_publish(site, round_id)
    answer = await site.ask(site.school.head, "GET", f"/schools/{site.school.org}/assignment.xlsx")
    rows = list(load_workbook(BytesIO(answer.content))["结对 assignment"].iter_rows(values_only=True))
    assert (len(rows), rows[0][0], rows[1][:2]) == (41, "班级 class", ("七年级1班", "学生0"))
    assert all(mentor for _, _, mentor in rows)


async def test_an_operator_runs_a_round_from_the_terminal(site: Site, tmp_path: Path) -> None:
    round_id = await site.open_round(choosing=False)
    environment = {"GONGYU_DATA": str(tmp_path), "GONGYU_LANG": "en", "GONGYU_DATABASE_URL": site.platform.database.url}
    group = click.Group("mentor", {str(command.name): command for command in COMMANDS})

    async def mentor(*arguments: str, fails: int = 0) -> Result:
        """In this process, for a process of its own each time takes seconds; the next test has those."""
        done = await asyncio.to_thread(CliRunner().invoke, group, list(arguments), env=environment)
        assert done.exit_code == fails, done.output
        return done

    listed = await mentor("rounds", "ezhou")
    assert (round_id[:8] in listed.stdout.replace("\n", ""), "closed" in listed.stdout) == (True, True)
    form = tmp_path / "form.xlsx"
    await mentor("paper-out", "ezhou", round_id, str(site.school.class_id), str(form))
    book = load_workbook(form)
    book["志愿 choices"]["D2"], book["志愿 choices"]["D3"] = 1, 99
    book.save(form)
    wrong = await mentor("paper-in", "ezhou", round_id, str(form), fails=2)
    assert "D3: expected a number" in wrong.stderr
    book["志愿 choices"]["D3"] = 2
    book.save(form)
    await mentor("paper-in", "ezhou", round_id, str(form))
    await mentor("run", "ezhou", round_id)
    (run,) = await site.rows(sa.select(Run.id, Run.figures))
    assert (run.figures["matched"], run.figures["ranks"]) == (40, {"1": 2})
    assert "seed is" in (await mentor("publish", "ezhou", round_id, str(run.id))).stdout
    again = await mentor("publish", "ezhou", round_id, str(run.id), fails=2)
    assert again.stderr.strip() == "this round is published already"


async def test_a_whole_district_is_run_and_published_school_by_school(site: Site, tmp_path: Path) -> None:
    """The second school has a round too, with too few places: it is told by name and holds nobody up."""
    first = await site.open_round(choosing=False)
    await site.file_lists(first)
    site.schools.reverse()
    await site.open_round(choosing=False, soft_cap=1, hard_cap=1)
    site.schools.reverse()
    deployment = Deployment(tmp_path)
    deployment.environment["GONGYU_DATABASE_URL"] = site.platform.database.url

    async def mentor(command: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(deployment.gongyu, "mentor", command, "ezhou", check=False)

    ran = await mentor("run-all")
    assert (ran.returncode, ran.stdout.splitlines()) == (
        0,
        ["第1中学: 40 of 40 matched", "第2中学: 8 of 40 matched"],
    )
    published = await mentor("publish-all")
    assert (published.returncode, published.stdout.splitlines()) == (2, ["第1中学: published"])
    assert published.stderr.splitlines()[0] == "第2中学: 32 students have no mentor; it cannot be published"
    again = await mentor("run-all")
    assert (again.returncode, again.stdout) == (0, "")
    pairs = sa.select(Assignment.school_id, sa.func.count()).group_by(Assignment.school_id)
    assert [tuple(row) for row in await site.rows(pairs)] == [(site.school.org, 40)]

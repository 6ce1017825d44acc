import asyncio
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.database.model import Base
from gongyu.events.models import EventRow
from gongyu.people.importing.numbers import id_number_context, phone_context
from gongyu.people.importing.plan import KIND_NAMES
from gongyu.people.models import Demographics, Org, Person, RosterImport

if TYPE_CHECKING:
    from tests.people.importing.conftest import Some, Town, Write

ENROLLED = [("enrolled", "p1"), ("enrolled", "p2")]
LINKED = [("guardian_linked", "p1"), ("guardian_linked", "p1"), ("guardian_linked", "p2")]


async def test_first_import_makes_everything_and_tells_of_it(town: "Town", write: "Write", today: date) -> None:
    report = await town.load(write())
    assert [(title.en, count) for title, count in report.counts] == [
        ("schools", 2), ("classes", 3), ("pupils", 2), ("guardians", 2), ("staff", 1),
    ]  # fmt: skip
    assert {one.kind: (one.added, one.changed, one.ended) for one in report.changes} == {
        "org": (2, 1, 0),  # the file's district is the root that stood already
        "session": (1, 0, 0),
        "class": (3, 0, 0),
        "person": (5, 0, 0),
        "membership": (6, 0, 0),  # one more than in the file: the father belongs to the second child's school too
        "enrolment": (3, 0, 0),
        "guardianship": (3, 0, 0),
        "care": (1, 0, 0),
    }
    assert await town.events() == [*ENROLLED, *LINKED]
    assert await town.guardians("p1") == [("g1", "father", today, None), ("g2", "mother", today, None)]
    assert await town.guardians("p2") == [("g1", "father", today, None)]
    assert [row[:2] for row in await town.memberships("g1")] == [("guardian", "第二小学"), ("parent", "第一小学")]
    tree = sa.select(Org.name, Org.type).order_by(Org.parent_id.is_not(None), Org.sourced_id)
    assert await town.rows(tree) == [("鄂州市", "district"), ("第一小学", "school"), ("第二小学", "school")]
    assert await town.care() == [("left_behind", "single", today, None)]


async def test_same_files_again_change_nothing_and_tell_nothing(town: "Town", write: "Write") -> None:
    path = write()
    await town.load(path)
    before = await town.events()
    plan = await town.plan(path)
    assert (list(plan.lines()), plan.removals) == ([], 0)
    report = await town.load(path)
    assert (report.refused, report.events, await town.events()) == (None, 0, before)


async def test_plan_shows_old_and_new_and_keeps_secrets(town: "Town", write: "Write", instead: "Some") -> None:
    await town.load(write())
    new = ("t1", "true", "t1", "老师", "章", "", "zhang@example.org", "13900005678", "", "", "")
    plan = await town.plan(write(users=instead("users", new)))
    assert [(line.action, line.kind, line.label, dict(line.fields)) for line in plan.lines()] == [
        ("change", "person", "张老师", {
            "name": ("张老师", "章老师"), "family_name": ("张", "章"), "phone": (None, "***"),
        }),
    ]  # fmt: skip


async def test_blank_cells_erase_nothing(town: "Town", write: "Write", instead: "Some") -> None:
    await town.load(write())
    blank = ("g1", "true", "g1", "大明", "王", "", "", "", "", "", "")
    assert not await town.plan(write(users=instead("users", blank)))


async def test_secrets_are_sealed_and_stand_nowhere_else(
    town: "Town", write: "Write", secrets: tuple[str, ...], capfd: pytest.CaptureFixture[str], instead: "Some"
) -> None:
    """Also after a change, and with a slip in the file that is quoted in a finding."""
    await town.load(write())
    slip = ("g2", "true", "g2", "秀英", "李", "", "", "", "", secrets[0][:-1] + "1", "")
    report = await town.load(write(users=instead("users", slip)))
    assert [one.code for one in report.findings] == ["id_number_check"]
    wanted = sa.select(Person.id, Person.id_number, Person.phone).where(Person.sourced_id == "g1")
    [(id_, number, phone)] = await town.rows(wanted)
    keys = town.platform.keys
    assert keys.decrypt(town.slug, number, context=id_number_context(id_)).decode() == secrets[1]
    assert keys.decrypt(town.slug, phone, context=phone_context(id_)).decode() == secrets[2]
    dump = []
    for table in Base.metadata.sorted_tables:
        dump += [f"{table.name}: {row}" for row in await town.rows(sa.select(table))]
    assert any(line.startswith("person: ") for line in dump)
    text = "\n".join(dump) + str(report) + "".join(capfd.readouterr())
    assert [
        secret for secret in (*secrets, secrets[0][:-1] + "1", *(s.encode().hex() for s in secrets)) if secret in text
    ] == []


async def test_events_and_audit_carry_ids_and_figures_only(town: "Town", write: "Write") -> None:
    report = await town.load(write())
    values = {value for (data,) in await town.rows(sa.select(EventRow.data)) for value in data.values()}
    names = {name for (name,) in await town.rows(sa.select(Person.name))}
    assert not values & names
    assert all(value is None or len(value) == 36 for value in values)
    lines = await town.rows(sa.select(AuditLine.action, AuditLine.actor, AuditLine.subject, AuditLine.details))
    assert lines[-1][:3] == ("roster.imported", "operator:test", f"import:{report.id}")
    figures = {str(one.kind): [one.added, one.changed, one.ended] for one in report.changes}
    assert lines[-1][3] == {"dialect": "oneroster-1.2", "mode": "bulk", "removals": 0, **figures}
    stored = sa.select(RosterImport.state, RosterImport.stage, RosterImport.dialect, RosterImport.mode)
    assert await town.rows(stored) == [("applied", "done", "oneroster-1.2", "bulk")]


async def test_what_was_entered_by_hand_is_not_ended_by_silence(town: "Town", write: "Write") -> None:
    await town.load(write())
    async with town.platform.database.work(town.state.district) as session:
        [aunt] = (await session.execute(sa.insert(Person).values(name="姑姑").returning(Person.id))).scalars()
        pupil = (await session.execute(sa.select(Person.id).where(Person.sourced_id == "p2"))).scalar_one()
        row = {"guardian_id": aunt, "student_id": pupil, "kind": "relative", "begins_on": sa.func.current_date()}
        await session.execute(sa.insert(_table("guardianship")).values(id=aunt, **row))
    assert not await town.plan(write())


async def test_no_import_lifts_a_ban_of_contact_made_by_hand(town: "Town", write: "Write") -> None:
    files = write()
    await town.load(files)
    ban = sa.update(_table("guardianship")).values(contact_allowed=False, from_roster=False)
    async with town.platform.database.work(town.state.district) as session:
        await session.execute(ban)
    users = (files / "users.csv").read_text("utf-8").splitlines()
    allowed = [f"{users[0]},metadata.agentContactAllowed"]
    allowed += [f'{line},"true,true"' if line.startswith("p1") else f"{line}," for line in users[1:]]
    (files / "users.csv").write_text("\n".join(allowed) + "\n", "utf-8")
    plan = await town.plan(files)
    assert (list(plan.lines()), [one.code for one in plan.findings]) == ([], ["contact_ban_kept"] * 2)


@pytest.mark.parametrize("said", ["fasle,fasle", "false", "否,0"])
async def test_a_word_about_contact_nobody_understands_is_a_no(town: "Town", write: "Write", said: str) -> None:
    files = write()
    users = (files / "users.csv").read_text("utf-8").splitlines()
    told = [f"{users[0]},metadata.agentContactAllowed"]
    told += [f'{line},"{said}"' if line.startswith("p1") else f"{line}," for line in users[1:]]
    (files / "users.csv").write_text("\n".join(told) + "\n", "utf-8")
    await town.load(files)
    pupil = sa.select(Person.id).where(Person.sourced_id == "p1").scalar_subquery()
    bonds = sa.select(_table("guardianship").c.contact_allowed).where(_table("guardianship").c.student_id == pupil)
    assert await town.rows(bonds) == [(False,), (False,)]


async def test_what_was_corrected_on_request_stays_and_is_told(town: "Town", write: "Write") -> None:
    files = write()
    await town.load(files)
    async with town.platform.database.work(town.state.district) as session:
        who = sa.select(Person.id).where(Person.sourced_id == "p1").scalar_subquery()
        await session.execute(sa.update(Person).where(Person.sourced_id == "p1").values(name="改正后"))
        mark = {"person_id": who, "field": "name", "corrected_at": sa.func.now()}
        await session.execute(sa.insert(_table("corrected_field")).values(mark))
    plan = await town.plan(files)
    assert ([*plan.lines()], [one.code for one in plan.findings]) == ([], ["corrected_here"])


async def test_care_that_cannot_be_read_ends_no_care(town: "Town", write: "Write", instead: "Some") -> None:
    await town.load(write(demographics=instead("demographics", ("p1", "2019-02-03", "male", "left_behind:single"))))
    torn = write(demographics=instead("demographics", ("p1", "2019-02-03", "male", "left_behind;single")))
    plan = await town.plan(torn)
    assert ([*plan.lines()], "care_held" in {one.code for one in plan.findings}) == ([], True)


async def test_imports_of_one_district_take_turns(town: "Town", write: "Write") -> None:
    path = write()
    reports = await asyncio.gather(town.load(path), town.load(path), town.load(path))
    assert sorted(report.events for report in reports) == [0, 0, 5]
    assert all(report.refused is None for report in reports)


async def test_no_roster_is_refused_with_its_findings(town: "Town", tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    report = await town.load(tmp_path / "notes.txt")
    assert (report.refused is not None, [one.code for one in report.findings]) == (True, ["dialect_unknown"])
    assert await town.rows(sa.select(RosterImport.state)) == [("refused",)]


async def test_demographics_of_the_file_are_kept_apart(town: "Town", write: "Write", instead: "Some") -> None:
    await town.load(write())
    await town.load(write(demographics=instead("demographics", ("p2", "2019-02-03", "female", ""))))
    found = sa.select(Person.sourced_id, Demographics.sex).join(Person, Person.id == Demographics.person_id)
    assert sorted(await town.rows(found)) == [("p1", "male"), ("p2", "female")]


def test_every_kind_has_its_words() -> None:
    assert all(name.zh and name.en for name in KIND_NAMES.values())


def _table(name: str) -> sa.Table:
    return Base.metadata.tables[name]

"""Codes on paper: for an account, and for the guardians of a child."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.access import attempts, codes, guardians, joining
from gongyu.access.accounts import AccountError
from gongyu.access.attempts import TooManyAttemptsError
from gongyu.access.codes import CodeError, NewGuardian
from gongyu.access.models import AccessCode, Account
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import SignIn, SignInRefusedError, Visitor
from gongyu.events import outbox
from gongyu.events.models import EventRow
from gongyu.people.models import Guardianship, Membership, Person
from gongyu.people.roster.canonical import GuardianshipKind

if TYPE_CHECKING:
    from tests.access.conftest import Scene

RULES = AccessRules()
HOME = Visitor(address="203.0.113.7")
RIGHT = "correct horse battery"
NEW = "battery staple horse"


async def issue(scene: "Scene", kind: codes.Kind, *persons: UUID) -> dict[UUID, str]:
    async with scene.work() as session:
        return await codes.issue(
            session,
            keys=scene.keys,
            kind=kind,
            persons=persons,
            valid=timedelta(days=30),
            by="operator:test",
            now=scene.clock.now,
        )


async def activate(scene: "Scene", code: str, username: str = "xiaoming", password: str = RIGHT) -> UUID:
    return await joining.activate(
        scene.platform,
        scene.state.district,
        RULES,
        HOME,
        passwords=scene.passwords,
        code=code,
        username=username,
        password=password,
        now=scene.clock.now,
    )


async def bind(
    scene: "Scene", code: str, guardian: UUID | NewGuardian, kind: GuardianshipKind = "mother"
) -> tuple[UUID, UUID]:
    return await joining.bind_guardian(
        scene.platform,
        scene.state.district,
        RULES,
        HOME,
        passwords=scene.passwords,
        code=code,
        guardian=guardian,
        kind=kind,
        now=scene.clock.now,
    )


async def enters(scene: "Scene", username: str, password: str) -> bool:
    door = SignIn(scene.platform, scene.passwords)
    try:
        await door.by_password(
            scene.state.district, RULES, HOME, username=username, password=password, now=scene.clock.now
        )
    except SignInRefusedError:
        return False
    return True


def mother(name: str = "李梅") -> NewGuardian:
    return NewGuardian(name=name, username=f"{name}@home", password=RIGHT)


async def test_code_that_opens_nothing_is_refused_with_one_answer(scene: "Scene", neighbour: "Scene") -> None:
    student = scene.people.student
    withdrawn = (await issue(scene, "activation", student))[student]
    code = (await issue(scene, "activation", student))[student]  # a new slip ends the old one
    wrong_kind = (await issue(scene, "guardian", student))[student]
    elsewhere = (await issue(neighbour, "activation", neighbour.people.student))[neighbour.people.student]
    answers = set()
    for bad in ("", "0" * 12, code[:-1], code + "0", withdrawn, wrong_kind, elsewhere, "\ud800\0"):
        with pytest.raises(CodeError) as refused:
            await activate(scene, bad)
        answers.add(str(refused.value))
    with pytest.raises(CodeError):
        await bind(scene, code, mother())
    assert await activate(scene, code) == student
    scene.clock.forward(days=30)
    late = (await issue(scene, "activation", scene.people.teacher))[scene.people.teacher]
    scene.clock.forward(days=30)
    for bad in (code, late):
        with pytest.raises(CodeError) as refused:
            await activate(scene, bad, "other")
        answers.add(str(refused.value))
    assert len(answers) == 1
    async with scene.work() as session:
        assert (await session.execute(sa.select(sa.func.count()).select_from(Account))).scalar_one() == 1


async def test_code_opens_however_it_is_typed_and_once(scene: "Scene") -> None:
    student = scene.people.student
    code = (await issue(scene, "activation", student))[student]
    assert [len(part) for part in code.split("-")] == [4, 4, 4]
    typed = f" {code.lower().replace('-', ' – ').replace('0', 'o').replace('1', 'l')} "
    found = await asyncio.gather(*(activate(scene, typed, f"xiaoming{n}") for n in range(4)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in found) == ["CodeError", "CodeError", "CodeError", "UUID"]
    assert student in found


async def test_code_survives_a_bad_password_and_names_all_that_is_wrong(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "taken")
    student = scene.people.student
    code = (await issue(scene, "activation", student))[student]
    with pytest.raises(AccountError) as refused:
        await activate(scene, code, "x y\n", "x y")
    assert [reason.en for reason in refused.value.reasons] == [
        "a user name holds no spaces or control characters",
        "at least 8 characters",
        "it must not contain the user name, name or the like",
        "it is common and easily guessed",
    ]
    with pytest.raises(AccountError):
        await activate(scene, code, " TAKEN ")
    assert await activate(scene, code) == student


async def test_new_code_gives_an_account_a_new_password_but_opens_no_closed_one(scene: "Scene") -> None:
    teacher = scene.people.teacher
    await scene.account(teacher, "shi")
    code = (await issue(scene, "activation", teacher))[teacher]
    assert await activate(scene, code, "ignored", NEW) == teacher
    assert [await enters(scene, "shi", text) for text in (RIGHT, NEW)] == [False, True]
    code = (await issue(scene, "activation", teacher))[teacher]
    await scene.execute(sa.update(Account).values(state="disabled"))
    with pytest.raises(CodeError):
        await activate(scene, code, "shi", RIGHT)
    assert not await enters(scene, "shi", RIGHT)


async def test_two_guardians_bind_with_one_slip_and_a_third_does_not(scene: "Scene") -> None:
    student = scene.people.student
    code = (await issue(scene, "guardian", student))[student]
    for nobody in ("", " ", "a\0b", "x" * 101):
        with pytest.raises(AccountError):
            await bind(scene, code, mother(nobody))
    first, _ = await bind(scene, code, mother())
    second, _ = await bind(scene, code, mother("王强"), "father")
    with pytest.raises(CodeError):
        await bind(scene, code, mother("赵六"), "other")
    async with scene.work() as session:
        columns = (Guardianship.guardian_id, Guardianship.kind, Guardianship.priority, Guardianship.is_legal)
        bonds = (await session.execute(sa.select(*columns).order_by(Guardianship.priority))).all()
        schools = (
            (await session.execute(sa.select(Membership.org_id).where(Membership.person_id == first))).scalars().all()
        )
        strangers = sa.select(sa.func.count()).select_from(Person).where(Person.name == "赵六")
        assert (await session.execute(strangers)).scalar_one() == 0
    assert [tuple(bond) for bond in bonds] == [(first, "mother", 1, None), (second, "father", 2, None)]
    assert list(schools) == [scene.people.first_school]
    assert await enters(scene, "李梅@home", RIGHT)
    assert len(await scene.audited("guardian.bound")) == 2
    async with scene.work() as session:
        events = (await session.execute(sa.select(EventRow.type, EventRow.subject, EventRow.data))).all()
    assert [tuple(event) for event in events] == [  # and nothing of those who were refused
        ("people.guardian_linked.v1", str(student), {"guardian": str(guardian), "student": str(student)})
        for guardian in (first, second)
    ]


async def test_parent_who_is_here_already_binds_to_a_sibling_in_another_school(scene: "Scene") -> None:
    code = (await issue(scene, "guardian", scene.people.student))[scene.people.student]
    parent, _ = await bind(scene, code, mother())
    sibling = await scene.person("弟弟", "student", scene.people.second_school)
    code = (await issue(scene, "guardian", sibling))[sibling]
    assert await bind(scene, code, parent) == (parent, sibling)
    with pytest.raises(CodeError):  # twice is not two guardians, and the use is not lost
        await bind(scene, code, parent)
    assert (await bind(scene, code, mother("王强"), "father"))[1] == sibling
    found = await scene.who(await scene.token(parent))
    assert found is not None
    assert {m.org for m in found.memberships} == {scene.people.first_school, scene.people.second_school}


@pytest.mark.parametrize("how", ["contact forbidden", "guardianship ended", "own child is oneself"])
async def test_somebody_parted_from_the_child_does_not_come_back_by_a_slip(scene: "Scene", how: str) -> None:
    student = scene.people.student
    code = (await issue(scene, "guardian", student))[student]
    parent, _ = await bind(scene, code, mother())
    if how == "contact forbidden":
        await scene.execute(sa.update(Guardianship).values(contact_allowed=False))
    elif how == "guardianship ended":
        async with outbox.work(scene.platform, scene.state.district) as session:
            today = scene.clock.now.date()
            await guardians.end(session, guardian=parent, student=student, by="operator:test", today=today)
    else:
        parent = student
    code = (await issue(scene, "guardian", student))[student]
    with pytest.raises(CodeError):
        await bind(scene, code, parent)


async def test_guessing_codes_is_limited_by_address(scene: "Scene") -> None:
    code = (await issue(scene, "activation", scene.people.student))[scene.people.student]
    for n in range(attempts.PASSWORD.address):
        with pytest.raises(CodeError):
            await activate(scene, f"{n:012}")
    with pytest.raises(TooManyAttemptsError):
        await activate(scene, code)
    assert len(await scene.audited("code.refused")) == attempts.PASSWORD.address


async def test_codes_are_not_in_the_database(scene: "Scene") -> None:
    pupils = [await scene.person(f"学生{n}", "student", scene.people.first_school) for n in range(3)]
    issued = await issue(scene, "activation", *pupils)
    assert len(set(issued.values())) == 3
    async with scene.work() as session:
        rows = str((await session.execute(sa.select(AccessCode.__table__))).all())
    lines = str([line.details for line in await scene.audited("code.issued")])
    assert not any(code in rows + lines or code.replace("-", "") in rows for code in issued.values())

"""Over HTTP: one's own and one's children's, and of everybody else not even that they exist."""

import io
import zipfile
from datetime import UTC, date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.people.models import Membership, Person
from gongyu.people.rights.erasure import NAMELESS
from gongyu.people.rights.periods import midnight_of

from .conftest import Diary, Door, Family, nothing, years_before

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
YES = {"purpose": "diary.photos", "version": 1, "word": "given"}


async def test_only_the_childs_own_people_find_it(family: Family, door: Door) -> None:
    nobody = await door("mother", "GET", f"/people/{uuid4()}/copy")
    assert nobody.status_code == 404
    for path in ("/consents", "/copy", "/requests"):
        statuses = {
            who: (await door.child(who, "GET", path)).status_code
            for who in ("child", "mother", "grandmother", "former", "barred", "stranger", "principal")
        }
        assert statuses == {
            "child": 200,
            "mother": 200,
            "grandmother": 200,
            "former": 404,
            "barred": 404,
            "stranger": 404,
            "principal": 404,
        }
    refused = (await door.child("barred", "GET", "/copy")).json()
    assert {**refused, "instance": "", "request_id": ""} == {**nobody.json(), "instance": "", "request_id": ""}
    for path in ("/consents", "/corrections", "/erasures"):
        body = YES if path == "/consents" else {"wish": "…"}
        for who in ("former", "barred", "stranger"):
            assert (await door.child(who, "POST", path, json=body)).status_code == 404
    await family.born("child", years_before(family.today, 18))
    assert (await door.child("mother", "GET", "/copy")).status_code == 404  # of age since today


async def test_token_for_something_else_opens_nothing_here(door: Door, family: Family) -> None:
    path = f"/people/{family.child}/copy"
    assert (await door("mother", "GET", path, "diary.*")).status_code == 403
    assert (await door("mother", "GET", path, "people.own")).status_code == 200


async def test_consent_is_one_step_to_give_and_one_to_take_back(door: Door) -> None:
    before = {one["purpose"]: one for one in (await door.child("mother", "GET", "/consents")).json()}
    assert (before["diary.photos"]["state"], before["core.schooling"]["state"]) == ("never_asked", "duty")
    assert before["diary.photos"]["text"] == "Photos for the diary."
    given = await door.child("mother", "POST", "/consents", json=YES)
    assert (given.status_code, given.json()["allowed"]) == (201, True)
    after = {one["purpose"]: one["allowed"] for one in (await door.child("mother", "GET", "/consents")).json()}
    assert after == {"core.schooling": True, "core.care": True, "core.public_mention": False, "diary.photos": True}
    taken = await door.child("father", "POST", "/consents", json=YES | {"word": "withdrawn"})
    assert (taken.json()["allowed"], [said["word"] for said in taken.json()["history"]]) == (
        False,
        ["given", "withdrawn"],
    )
    answers = {
        "grandmother": await door.child("grandmother", "POST", "/consents", json=YES),
        "child": await door("child", "POST", "/me/consents", json=YES),
        "version": await door.child("mother", "POST", "/consents", json=YES | {"version": 2}),
        "unknown": await door.child("mother", "POST", "/consents", json=YES | {"purpose": "diary.sale"}),
        "word": await door.child("mother", "POST", "/consents", json=YES | {"word": "maybe"}),
    }
    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert statuses == {"grandmother": 403, "child": 403, "version": 409, "unknown": 422, "word": 422}


async def test_signed_paper_is_entered_by_the_childs_own_school(door: Door, family: Family) -> None:
    yesterday = family.today - timedelta(days=1)
    paper = YES | {"by": str(family.mother), "signed_on": str(yesterday)}
    path = f"/people/{family.child}/consents/paper"
    statuses = {who: (await door(who, "POST", path, json=paper)).status_code for who in ("other_principal", "mother")}
    assert statuses == {"other_principal": 404, "mother": 403}
    wrong = {
        "grandmother": paper | {"by": str(family.grandmother)},
        "the child of 13": paper | {"by": str(family.child)},
        "former version": paper | {"version": 2},
        "tomorrow": paper | {"signed_on": str(family.today + timedelta(days=1))},
    }
    refused = {name: (await door("principal", "POST", path, json=body)).status_code for name, body in wrong.items()}
    assert refused == {"grandmother": 403, "the child of 13": 403, "former version": 409, "tomorrow": 422}
    entered = await door("principal", "POST", path, json=paper)
    assert (entered.status_code, entered.json()["allowed"]) == (201, True)
    said = (await door.child("father", "GET", "/consents")).json()[-1]["history"]
    assert [(one["said_by"], one["channel"], one["at"]) for one in said] == [
        (
            str(family.mother),
            "paper",
            midnight_of(family.state.district, yesterday).astimezone(UTC).isoformat().replace("+00:00", "Z"),
        ),
    ]
    lines = sa.select(AuditLine.actor, AuditLine.details).where(AuditLine.action == "consent.given")
    async with family.work() as session:
        ((actor, details),) = (await session.execute(lines)).all()
    assert (actor, details["channel"], details["capacity"]) == (f"person:{family.principal}", "paper", "guardian")


async def test_copy_is_a_zip_that_holds_what_its_reader_may_have(door: Door) -> None:
    found = {}
    for who in ("mother", "grandmother"):
        answer = await door.child(who, "GET", "/copy")
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/zip", "no-store")
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        found[who] = {name for name in archive.namelist() if name in ("core/care.json", "diary/entries.json")}
    assert found == {"mother": {"core/care.json", "diary/entries.json"}, "grandmother": set()}


async def test_correction_is_answered_in_writing_by_the_childs_own_school(door: Door, family: Family) -> None:
    asked = await door.child("mother", "POST", "/corrections", json={"wish": "名字写错了"})
    assert asked.status_code == 201
    line = asked.json()
    assert (line["state"], line["due_on"]) == ("open", str(family.today + timedelta(days=30)))
    assert (await door.child("father", "GET", "/requests")).json() == []  # one parent's words are not the other's
    assert [one["wish"] for one in (await door.child("child", "GET", "/requests")).json()] == ["名字写错了"]
    path = f"/people/requests/{line['id']}"
    assert (await door("other_principal", "GET", "/people/requests")).json()["items"] == []
    assert (await door("other_principal", "GET", path)).status_code == 404
    decision = {"accept": False, "reason": "与户口簿一致"}
    assert (await door("other_principal", "POST", f"{path}/decision", json=decision)).status_code == 404
    assert (await door("mother", "POST", f"{path}/decision", json=decision)).status_code == 403
    listed = (await door("principal", "GET", "/people/requests")).json()["items"]
    assert [(one["id"], "wish" in one) for one in listed] == [(line["id"], False)]
    assert (await door("principal", "GET", path)).json()["wish"] == "名字写错了"
    silent = await door("principal", "POST", f"{path}/decision", json={"accept": False, "reason": " "})
    assert silent.status_code == 409
    assert (await door("principal", "POST", f"{path}/decision", json=decision)).status_code == 201
    assert (await door("principal", "POST", f"{path}/decision", json=decision)).status_code == 409
    answered = (await door.child("mother", "GET", "/requests")).json()
    assert [(one["state"], one["reason"]) for one in answered] == [("refused", "与户口簿一致")]
    audited = [action for action in await family.audited("child") if action.startswith("correction")]
    assert audited == ["correction.asked", "correction.read", "correction.refused"]
    stored = await family.scalar(sa.text("SELECT string_agg(r::text, '') FROM d_ezhou.rights_request r"))  # type: ignore[arg-type]  # as text
    assert not any(word.encode().hex() in stored for word in ("名字写错了", "与户口簿一致"))


async def test_whoever_reads_or_answers_for_others_is_in_the_log_once(door: Door, family: Family) -> None:
    line = (await door.child("mother", "POST", "/corrections", json={"wish": "名字写错了"})).json()
    path = f"/people/requests/{line['id']}"
    for who in ("child", "principal"):  # their tokens are made, and refusals written, before the lines that count
        await door(who, "GET", "/me")
    seen = await family.scalar(sa.select(sa.func.max(AuditLine.seq)))
    for where in ("/consents", "/requests"):
        for who in ("child", "mother"):
            assert (await door.child(who, "GET", where)).status_code == 200
    assert (await door("principal", "GET", "/people/requests")).status_code == 200
    assert (await door("principal", "GET", path)).status_code == 200
    decision = {"accept": False, "reason": "与户口簿一致"}
    assert (await door("principal", "POST", f"{path}/decision", json=decision)).status_code == 201
    query = sa.select(AuditLine).where(AuditLine.seq > seen).order_by(AuditLine.seq)
    async with family.work() as session:
        lines = list((await session.execute(query)).scalars())
    people = {f"person:{id_}": name for name, id_ in family.people.items()}
    assert [(one.action, people[one.actor], people.get(one.subject, one.subject), one.ground) for one in lines] == [
        ("consent.read", "mother", "child", "guardian"),
        ("request.read", "mother", "child", "guardian"),
        ("district.rights.decide", "principal", "/api/v1/ezhou/people/requests", "principal of the org"),
        ("correction.read", "principal", "child", "principal of the org"),
        ("correction.refused", "principal", "child", ""),
    ]


async def test_erasure_says_what_stays_and_ends_the_sign_in_at_once(door: Door) -> None:
    asked = (await door.child("mother", "POST", "/erasures", json={"wish": "全部"})).json()
    assert (await door.child("father", "POST", "/erasures", json={"wish": "全部"})).status_code == 409
    assert (await door("child", "GET", "/me")).status_code == 200
    decision = {"accept": True, "reason": "已按申请删除"}
    answer = await door("principal", "POST", f"/people/requests/{asked['id']}/decision", json=decision)
    assert answer.status_code == 201
    outcome = {line["what"]: line["kept"] for line in answer.json()["outcome"]}
    assert outcome["diary"] is None
    assert "Compulsory Education Law" in outcome["facts of birth"]
    assert (await door("child", "GET", "/me")).status_code == 401
    kept = (await door.child("mother", "GET", "/requests")).json()[0]["outcome"]
    assert kept == answer.json()["outcome"]


async def test_erasure_that_a_plugin_refuses_leaves_the_request_open(door: Door, family: Family, diary: Diary) -> None:
    async def fail(*_: object) -> None:
        raise ValueError("stuck")

    diary.erasing = fail
    async with family.work() as session:
        left = sa.update(Membership).where(Membership.person_id == family.child)
        await session.execute(left.values(ends_on=date(2021, 1, 1)))
    asked = (await door.child("mother", "POST", "/erasures", json={"wish": "全部"})).json()
    path = f"/people/requests/{asked['id']}"
    decision = {"accept": True, "reason": "好"}
    assert (await door("principal", "POST", f"{path}/decision", json=decision)).status_code == 409
    assert (await door("principal", "GET", path)).json()["state"] == "open"
    name = sa.select(Person.name).where(Person.id == family.child)
    assert await family.scalar(name) == "child"
    diary.erasing = nothing
    assert (await door("principal", "POST", f"{path}/decision", json=decision)).status_code == 201
    assert await family.scalar(name) == NAMELESS
    assert (await door.child("mother", "GET", "/copy")).status_code in (401, 404)

"""A correction that is accepted changes the data, at once and in the same transaction, or says who still has to."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from gongyu.access.models import AuditLine
from gongyu.people.models import Demographics, Person
from gongyu.people.rights.copy import collect
from gongyu.people.rights.models import CorrectedField
from gongyu.people.rights.sealing import opened

from .conftest import Door, Family

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
WISHED = {
    "name": "王小红",
    "email": "",
    "phone": "+8613900000000",
    "id_number": "11010519491231002x",
    "birth_date": "2014-03-02",
    "sex": "female",
}
ACCEPTED = {"accept": True, "reason": "已核对户口簿"}


async def stored(family: Family) -> dict[str, Any]:
    query = sa.select(Person, Demographics).join(Demographics).where(Person.id == family.child)
    async with family.work() as session:
        person, facts = (await session.execute(query)).one()
        keys, district = family.platform.keys, family.state.district
        numbers = {
            name: opened(keys, district, name, person.id, getattr(person, name)) for name in ("phone", "id_number")
        }
        hashes = {"phone": person.phone_hash, "id_number": person.id_number_hash}
    return {
        "name": person.name,
        "email": person.email,
        "username": person.username,
        **numbers,
        "hashes": hashes,
        "birth_date": facts.birth_date,
        "sex": facts.sex,
    }


async def asked(door: Door, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    answer = await door.child("mother", "POST", "/corrections", json=body)
    assert answer.status_code == 201, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def listed(door: Door) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await door("principal", "GET", "/people/requests")).json()["items"]
    return items


async def test_accepted_fields_are_right_at_once_and_wrong_only_in_the_source(door: Door, family: Family) -> None:
    async with family.work() as session:
        await session.execute(sa.update(Person).where(Person.id == family.child).values(from_roster=True))
    line = await asked(door, fields=WISHED)
    before = await stored(family)
    path = f"/people/requests/{line['id']}"
    assert (await door("principal", "GET", path)).json()["fields"] == dict.fromkeys(line["fields"]) | WISHED
    assert (await door("other_principal", "POST", f"{path}/decision", json=ACCEPTED)).status_code == 404
    assert await stored(family) == before
    decided = await door("principal", "POST", f"{path}/decision", json=ACCEPTED)
    assert decided.status_code == 201, decided.text
    seals = family.platform.seals(family.state.district)
    assert await stored(family) == before | {
        "name": "王小红",
        "email": None,
        "phone": "13900000000",
        "id_number": "11010519491231002X",
        "hashes": {
            "phone": seals.hashed("13900000000", purpose="phone"),
            "id_number": seals.hashed("11010519491231002X", purpose="id_number"),
        },
        "birth_date": date(2014, 3, 2),
        "sex": "female",
    }
    said = decided.json()
    assert (said["state"], said["still_to_be_done"], said["still_in_source"]) == ("accepted", True, True)
    assert "also correct it in the source" in said["to_do"]
    assert [(one["id"], one["to_do"]) for one in await listed(door)] == [(line["id"], said["to_do"])]
    marked = sa.select(CorrectedField.field).order_by(CorrectedField.field)
    async with family.work() as session:
        fields = list((await session.execute(marked)).scalars())
        lines = sa.select(AuditLine.details).where(AuditLine.action == "correction.accepted")
        details = (await session.execute(lines)).scalar_one()
    assert fields == sorted([*WISHED, "family_name", "given_name"])
    assert details == {"request": line["id"], "fields": sorted(WISHED)}
    assert (await door("other_principal", "POST", f"{path}/done")).status_code == 404
    assert (await door("mother", "POST", f"{path}/done")).status_code == 403
    done = (await door("principal", "POST", f"{path}/done")).json()
    assert (done["still_to_be_done"], done["still_in_source"], done["to_do"]) == (False, False, None)
    assert await listed(door) == []
    assert (await door("principal", "POST", f"{path}/done")).status_code == 409


async def test_words_alone_are_accepted_only_with_who_does_it_and_wait_until_done(door: Door, family: Family) -> None:
    line = await asked(door, wish="班级写错了")
    before = await stored(family)
    path = f"/people/requests/{line['id']}"
    silent = await door("principal", "POST", f"{path}/decision", json=ACCEPTED)
    assert (silent.status_code, "done_by_hand" in silent.json()["detail"]) == (409, True)
    by_hand = {"done_by_hand": "学籍管理员在学籍系统中更正"}
    said = (await door("principal", "POST", f"{path}/decision", json=ACCEPTED | by_hand)).json()
    assert (said["state"], said["by_hand"], said["to_do"], said["still_in_source"]) == (
        "accepted",
        by_hand["done_by_hand"],
        "still to be done by hand",
        False,
    )
    theirs = (await door.child("mother", "GET", "/requests")).json()
    assert [(one["state"], one["to_do"]) for one in theirs] == [("accepted", "still to be done by hand")]
    assert (await door("principal", "POST", f"{path}/done")).status_code == 201
    assert await stored(family) == before
    actions = [action for action in await family.audited("child") if action.startswith("correction")]
    assert actions == ["correction.asked", "correction.accepted", "correction.done"]


async def test_refused_or_impossible_wishes_change_nothing(door: Door, family: Family) -> None:
    before = await stored(family)
    wrong: dict[str, dict[str, Any]] = {
        "/fields/phone": {"phone": "不知道"},
        "/fields/id_number": {"id_number": "110105194912310021"},
        "/fields/birth_date": {"birth_date": "2999-01-01"},
        "/fields/name": {"name": " 王"},
        "/fields": {},
    }
    for pointer, fields in wrong.items():
        answer = await door.child("mother", "POST", "/corrections", json={"fields": fields})
        assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, [pointer])
    for body in ({}, {"wish": " "}, {"fields": {"state": "active"}}):
        assert (await door.child("mother", "POST", "/corrections", json=body)).status_code == 422
    line = await asked(door, fields={"name": "别人"})
    refusal = {"accept": False, "reason": "与户口簿一致"}
    answer = await door("principal", "POST", f"/people/requests/{line['id']}/decision", json=refusal)
    assert (answer.json()["state"], answer.json()["to_do"]) == ("refused", None)
    assert await stored(family) == before


async def test_what_was_entered_here_is_right_everywhere_and_its_copy_says_so(door: Door, family: Family) -> None:
    line = await asked(door, fields={"name": "王小红"})
    said = (await door("principal", "POST", f"/people/requests/{line['id']}/decision", json=ACCEPTED)).json()
    assert (said["still_to_be_done"], said["to_do"]) == (False, None)  # no roster has it wrong
    async with family.work() as session:
        copy = await collect(
            family.platform, family.state, session, person=family.child, reader="self", actor="t", now=family.now
        )
        raw = (
            await session.execute(sa.text("SELECT string_agg(r::text, '') FROM d_ezhou.rights_request r"))
        ).scalar_one()
    parts = {part.name: list(part.rows) for part in copy.parts["core"]}
    assert [row["field"] for row in parts["corrected"]] == ["family_name", "given_name", "name"]
    assert parts["requests"][0]["fields"] == '{"name":"王小红"}'
    assert "王小红".encode().hex() not in raw

"""Whose yes counts, for what (also the purposes a plugin declares: hook `consent_purposes`), and on which day."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from gongyu.people.models import Demographics, Guardianship
from gongyu.people.rights.consent import ConsentRefusedError, NewTextError, Word, may_process, say, standings
from gongyu.people.rights.contract import Purpose
from gongyu.people.rights.declared import CORE_PURPOSES, purposes_in
from gongyu.people.rights.models import Consent

from .conftest import PHOTOS, WORD, Family, years_before

SCHOOLING, CARE, PUBLIC = CORE_PURPOSES
NEW_TEXT = Purpose(name=PHOTOS.name, title=WORD, text=WORD, version=2)


async def tell(family: Family, by: str, word: Word = "given", purpose: Purpose = PHOTOS, about: str = "child") -> None:
    async with family.work() as session:
        await say(
            session,
            person=family.people[about],
            purpose=purpose,
            version=purpose.version,
            word=word,
            by=family.people[by],
            actor=f"person:{family.people[by]}",
            now=family.now,
        )
    family.now += timedelta(seconds=1)


async def verdict(family: Family, purpose: Purpose = PHOTOS, on: date | None = None) -> tuple[bool, bool, str]:
    async with family.work() as session:
        found = await may_process(session, person=family.child, purpose=purpose, on=on or family.today)
    return found.allowed, found.renew, found.ground.en


async def test_child_without_a_guardians_yes_is_processed_for_duties_only(family: Family) -> None:
    assert {purpose.name: (await verdict(family, purpose))[0] for purpose in (SCHOOLING, CARE, PUBLIC, PHOTOS)} == {
        "core.schooling": True,
        "core.care": True,
        "core.public_mention": False,
        "diary.photos": False,
    }
    with pytest.raises(ConsentRefusedError, match="takes no consent"):
        await tell(family, "mother", "refused", SCHOOLING)
    await tell(family, "mother")
    assert await verdict(family) == (True, False, "a guardian consented to version 1")
    assert (await verdict(family, PUBLIC))[0] is False  # a yes to one purpose is none to another
    assert (await verdict(family, on=family.today - timedelta(days=1)))[0] is False
    assert await family.audited("child") == ["consent.given"]


@pytest.mark.parametrize("by", ["former", "barred", "grandmother", "stranger", "principal", "child"])
async def test_yes_of_somebody_whose_it_is_not_is_refused(family: Family, by: str) -> None:
    with pytest.raises(ConsentRefusedError):
        await tell(family, by)
    assert await family.scalar(sa.select(sa.func.count(Consent.id))) == 0


async def test_second_guardian_withdrawing_stops_it_and_the_history_stays(family: Family) -> None:
    await tell(family, "mother")
    await tell(family, "father", "withdrawn")
    assert await verdict(family) == (False, False, "a guardian withdrew the consent")
    await tell(family, "mother")  # her yes does not outweigh his no
    assert (await verdict(family))[0] is False
    await tell(family, "father")
    assert (await verdict(family))[0] is True
    async with family.work() as session:
        found = await standings(session, person=family.child, purposes=[PHOTOS], on=family.today)
    assert [said.word for said in (found or [])[0].history] == ["given", "withdrawn", "given", "given"]


async def test_yes_of_a_guardian_ends_with_the_guardianship(family: Family) -> None:
    await tell(family, "mother")
    async with family.work() as session:
        ended = sa.update(Guardianship).where(Guardianship.guardian_id == family.mother)
        await session.execute(ended.values(ends_on=family.today))
    assert (await verdict(family))[0] is True  # the last day is included
    assert (await verdict(family, on=family.today + timedelta(days=1)))[0] is False


async def test_new_text_asks_again(family: Family) -> None:
    await tell(family, "mother")
    assert await verdict(family, NEW_TEXT) == (False, False, "the text is new; a guardian must be asked again")
    with pytest.raises(NewTextError):
        async with family.work() as session:
            await say(
                session,
                person=family.child,
                purpose=NEW_TEXT,
                version=1,
                word="given",
                by=family.mother,
                actor="t",
                now=family.now,
            )
    await tell(family, "mother", purpose=NEW_TEXT)
    assert (await verdict(family, NEW_TEXT))[0] is True


async def test_on_the_14th_birthday_the_person_is_to_be_asked(family: Family) -> None:
    await tell(family, "mother")
    tomorrow = family.today + timedelta(days=1)
    assert (await verdict(family))[1] is False
    ground = "a guardian consented to version 1; the person is 14 now and is to be asked"
    assert await verdict(family, on=tomorrow) == (True, True, ground)
    with pytest.raises(ConsentRefusedError, match="under 14"):
        await tell(family, "child", "refused")
    family.now += timedelta(days=1)
    with pytest.raises(ConsentRefusedError, match="for the person to say"):
        await tell(family, "father")
    await tell(family, "father", "withdrawn")  # what guardians gave they may still take back
    assert (await verdict(family))[0] is False
    await tell(family, "child")
    assert await verdict(family) == (True, False, "the person consented to version 1")
    with pytest.raises(ConsentRefusedError, match="for the person to say"):
        await tell(family, "father", "withdrawn")


async def test_guardians_yes_is_over_with_the_18th_birthday(family: Family) -> None:
    await tell(family, "mother")
    grown = family.today + timedelta(days=30)
    await family.born("child", years_before(grown, 18))
    assert (await verdict(family, on=grown - timedelta(days=1)))[:2] == (True, True)
    assert await verdict(family, on=grown) == (False, False, "the person has not been asked")


async def test_pupil_of_unknown_age_is_taken_for_a_child(family: Family) -> None:
    async with family.work() as session:
        await session.execute(sa.delete(Demographics))
    with pytest.raises(ConsentRefusedError, match="under 14"):
        await tell(family, "child")
    await tell(family, "principal", about="principal")  # staff of unknown age speak for themselves


async def test_words_can_be_added_and_not_changed(family: Family) -> None:
    await tell(family, "mother")
    for statement in (sa.update(Consent).values(word="withdrawn"), sa.delete(Consent)):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            async with family.work() as session:
                await session.execute(statement)


async def test_purpose_under_another_name_is_not_listened_to(family: Family) -> None:
    found = purposes_in(family.platform, family.state)
    assert list(found) == ["core.schooling", "core.care", "core.public_mention", "diary.photos"]
    assert found["core.schooling"] == SCHOOLING

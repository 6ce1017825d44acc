"""The hooks as strangers' plugins implement them: the notice board keeps authors, the thanks keep nobody."""

import importlib
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from gongyu.database import migrations
from gongyu.database.model import new_id
from gongyu.host import Host, load_host
from gongyu.people.models import Membership, Org, Person
from gongyu.people.rights.copy import collect
from gongyu.people.rights.declared import purposes_in
from gongyu.people.rights.erasure import erase
from gongyu.people.rights.periods import today_in
from gongyu.people.rights.retention import expire
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict

SAMPLES = {"bulletin", "kindness"}


@pytest.fixture(scope="module")
def host() -> Host:
    points = [point for point in metadata.entry_points(group="gongyu.plugins") if point.name in SAMPLES]
    if len(points) != len(SAMPLES):
        pytest.skip("the sample plugins are not installed")
    return load_host(entry_points=points)


async def test_author_is_copied_kept_while_in_office_and_then_forgotten(
    platform: Platform, make_district: MakeDistrict
) -> None:
    state = await make_district("ezhou", "[plugins.bulletin]\n[plugins.kindness]\n")
    notice: Any = importlib.import_module("gongyu_bulletin.models").Notice
    now = datetime.now(UTC)
    today = today_in(state.district, now)
    teachers = [new_id(), new_id()]
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id))).scalar_one()
        for teacher in teachers:
            session.add(Person(id=teacher, name="师老师"))
            await session.flush()
            session.add(Membership(person_id=teacher, org_id=root, role="teacher", begins_on=today))
            session.add(notice(org_id=root, author_id=teacher, title="运动会", body="改到周五", posted_at=now))

    async def erased(person: UUID) -> dict[str, tuple[int, bool]]:
        async with platform.database.work(state.district) as session:
            lines = await erase(platform, state, session, person=person, actor="t", now=now)
        return {line.what.en: (line.rows, line.kept is not None) for line in lines if "notices" in line.what.en}

    async with platform.database.work(state.district) as session:
        copy = await collect(
            platform, state, session, person=teachers[0], reader="operator", actor="operator:t", now=now
        )
    assert [(part.name, len(part.rows)) for part in copy.parts["bulletin"]] == [("notices", 1)]
    assert (copy.parts["kindness"], copy.absent[0].part) == ([], "care")
    assert "bulletin.byline" in purposes_in(platform, state)
    assert await erased(teachers[0]) == {"notices posted": (1, True)}
    async with platform.database.work(state.district) as session:
        left = sa.update(Membership).where(Membership.person_id == teachers[0])
        await session.execute(left.values(ends_on=today - timedelta(days=1), begins_on=today - timedelta(days=9)))
    assert await erased(teachers[0]) == {"author of notices": (1, False)}
    for days, rows in ((365, 0), (366, 1)):
        found = await expire(platform, state, now=now + timedelta(days=days))
        assert {line.category: line.rows for line in found}["bulletin.authors"] == rows


async def test_models_and_migrations_agree(platform: Platform) -> None:
    assert await migrations.differences(platform.database, migrations.core_history(), []) == []

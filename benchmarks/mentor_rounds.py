"""A district's rounds, school by school: streamed from the database, matched, proved, written back; against COPY.

The limit is what PostgreSQL itself needs to hand the same rows out and to take the same pairs in (COPY both ways).
"""

import asyncio
import os
import resource
import sys
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import psutil
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks.deployments import database, deployment
from gongyu.config import Config
from gongyu.database.model import new_id
from gongyu.host import load_host
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform, open_platform
from gongyu_mentor import publishing, rounds, runs
from gongyu_mentor.matching import solve
from gongyu_mentor.models import Assignment, Preference
from gongyu_mentor.schemas import NewRound
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.snapshot import freeze
from gongyu_mentor.verification import require_sound

SCHOOLS = int(os.environ.get("SCHOOLS", "20"))
PUPILS = 1_000
MENTORS = PUPILS // 12
TODAY = date(2026, 9, 10)
NOW = datetime(2026, 9, 10, 8, tzinfo=UTC)
_PAIR = ("id", "student_id", "mentor_id", "school_id", "begins_at")


async def _filled(platform: Platform, slug: str) -> list[UUID]:
    """Schools with people, an announced round and everybody's list; the ids of the rounds."""
    chance, made = Random(2026), []  # noqa: S311 - wishes, not secrets
    district = platform.state(slug).district
    for number in range(SCHOOLS):
        async with platform.database.work(district) as session:
            school = new_id()
            session.add(Org(id=school, name=f"{number}", type="school"))
            await session.flush()
            pupils, mentors = [new_id() for _ in range(PUPILS)], [new_id() for _ in range(MENTORS)]
            await session.execute(sa.insert(Person), [{"id": one, "name": "名"} for one in (*pupils, *mentors)])
            roles = [(one, "student") for one in pupils] + [(one, "teacher") for one in mentors]
            await session.execute(
                sa.insert(Membership),
                [
                    {"id": new_id(), "person_id": one, "org_id": school, "role": role, "begins_on": date(2020, 9, 1)}
                    for one, role in roles
                ],
            )
            new = NewRound(
                school=school,
                title="bench",
                soft_cap=12,
                hard_cap=15,
                opens_at=NOW - timedelta(days=2),
                closes_at=NOW - timedelta(days=1),
            )
            row = await rounds.create(
                session, new=new, settings=MentorSettings(), schools={}, orgs=None, by=None, today=TODAY
            )
            opened = NOW - timedelta(days=2)
            await rounds.announce(session, row.id, orgs=None, by=None, now=opened, keys=platform.keys)
            weights = [chance.lognormvariate(0, 1) for _ in mentors]
            lists = []
            for pupil in pupils:
                order = sorted(range(MENTORS), key=lambda at: -weights[at] * chance.expovariate(1.0))[:8]
                lists.append({"round_id": row.id, "student_id": pupil, "choices": [mentors[at] for at in order]})
            await session.execute(sa.insert(Preference), lists)
            made.append(row.id)
    return made


async def _match_all(platform: Platform, slug: str, made: list[UUID]) -> tuple[float, float]:
    """Every school's trial run and publication, each in its own transaction, one school in memory at a time."""
    district = platform.state(slug).district
    engine: dict[str, Any] = {"orgs": None, "by": None, "now": NOW, "today": TODAY, "keys": platform.keys}
    wall, cpu = perf_counter(), process_time()
    for round_id in made:
        async with platform.database.work(district) as session:
            run = await runs.try_out(session, round_id, **engine)
        async with platform.database.work(district) as session:
            await publishing.publish(session, round_id, run=run.id, **engine)
    return perf_counter() - wall, process_time() - cpu


async def _bare(platform: Platform, slug: str, made: list[UUID]) -> float:
    """Only what the limit has a counterpart for: read, match, prove, write the pairs; no run kept, nobody told."""
    district = platform.state(slug).district
    wall = perf_counter()
    for round_id in made:
        async with platform.database.work(district) as session:
            row = await rounds.managed(session, round_id, orgs=None)
            seed = rounds.open_seed(row, district=district, keys=platform.keys)
            frozen = await freeze(session, row, seed=seed, today=TODAY)
            result = solve(frozen.snapshot)
            require_sound(frozen.snapshot, result)
            raw = await (await session.connection()).get_raw_connection()
            driver: Any = raw.driver_connection
            pairs = zip(frozen.students, result.final, strict=True)
            records = [(new_id(), student, frozen.mentors[mentor], row.school_id, NOW) for student, mentor in pairs]
            await driver.copy_records_to_table("bench", schema_name=district.schema, records=records, columns=_PAIR)
    return perf_counter() - wall


async def _copied(url: str, schema: str) -> float:
    """The lists out and the pairs in, as fast as PostgreSQL does it: into a table with the same indexes and no more."""
    connection = await asyncpg.connect(make_url(url).set(drivername="postgresql").render_as_string(hide_password=False))
    try:
        pairs = [(uuid4(), uuid4(), uuid4(), uuid4(), NOW) for _ in range(SCHOOLS * PUPILS)]
        times = []
        for _ in range(3):
            await connection.execute(
                f'DROP TABLE IF EXISTS "{schema}".bench; '
                f'CREATE TABLE "{schema}".bench (LIKE "{schema}".mentor_assignment INCLUDING INDEXES)'
            )
            started = perf_counter()
            await connection.copy_from_table("mentor_preference", schema_name=schema, output=BytesIO())
            await connection.copy_records_to_table("bench", schema_name=schema, records=pairs, columns=_PAIR)
            times.append(perf_counter() - started)
        await connection.execute(f'TRUNCATE "{schema}".bench; GRANT ALL ON "{schema}".bench TO PUBLIC')
        return median(times)
    finally:
        await connection.close()


async def _measured(environment: dict[str, str]) -> None:
    config = Config.from_environment(environment)
    async with open_platform(config, host=load_host(only=["mentor"])) as platform:
        made = await _filled(platform, "bench")
        district = platform.state("bench").district
        before = psutil.Process().memory_info().rss
        wall, cpu = await _match_all(platform, "bench", made)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
        async with platform.database.read(district) as connection:
            standing = sa.select(sa.func.count()).where(Assignment.ends_at.is_(None))
            pairs = (await connection.execute(standing)).scalar_one()
        assert pairs == SCHOOLS * PUPILS
        copied = await _copied(platform.database.url, district.schema)
        bare = await _bare(platform, "bench", made)
        pupils = SCHOOLS * PUPILS
        print(f"{SCHOOLS} schools x {PUPILS:,} pupils           wall s   CPU s   µs/pupil   to COPY (goal 3x)")
        whole = wall / pupils * 1e6, wall / copied
        print(f"  run, proof, publication, events   {wall:7.2f} {cpu:7.2f} {whole[0]:10.0f} {whole[1]:9.1f}x")
        print(f"  read, match, prove, write alone   {bare:7.2f} {bare / pupils * 1e6:18.0f} {bare / copied:9.1f}x")
        print(f"  COPY of the same rows out and in  {copied:7.2f} {copied / pupils * 1e6:18.0f}")
        print(f"  memory above start, MB            {(after - before) / 2**20:7.0f}   (goal 150)")


def run() -> None:
    with database() as (url, folder):
        made = deployment(url, folder / "data")
        made.apply("bench", "[plugins.mentor]\n")
        asyncio.run(_measured(made.environment))


if __name__ == "__main__":
    run()

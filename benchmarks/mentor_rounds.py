"""A district's rounds, school by school: streamed from the database, matched, proved, written back; against COPY.

The limit is what PostgreSQL itself needs to hand the same rows out and to take them in: COPY, in its binary form, of
the tables that are read, and of the rows that were written into empty copies of their tables with the same indexes and
foreign keys; whole tables in one go, the best of three (of a million rows, the first).
`SCHOOLS=1000` is a million pupils.
"""

import asyncio
import gc
import os
import resource
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import accumulate
from random import Random
from time import perf_counter, process_time
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import psutil
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks.deployments import database, deployment
from gongyu.config import Config
from gongyu.database.model import new_id
from gongyu.host import load_host
from gongyu.people.care import sealed_care
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform, open_platform
from gongyu_mentor import rounds
from gongyu_mentor.district_rounds import publish_tried, try_closed
from gongyu_mentor.matching import solve
from gongyu_mentor.models import Assignment
from gongyu_mentor.schemas import NewRound
from gongyu_mentor.settings import MentorSettings
from gongyu_mentor.snapshot import freeze
from gongyu_mentor.verification import require_sound

SCHOOLS = int(os.environ.get("SCHOOLS", "20"))
PUPILS, CLASS, CHOICES = 1_000, 50, 8
MENTORS = PUPILS // 12
TODAY, SINCE = date(2026, 9, 10), date(2020, 9, 1)
NOW = datetime(2026, 9, 10, 8, tzinfo=UTC)
_READ = (
    "person",
    "membership",
    "class_group",
    "enrolment",
    "demographics",
    "care_category",
    "mentor_offer",
    "mentor_preference",
    "mentor_favour",
)
_WRITTEN = ("mentor_run", "mentor_load", "mentor_assignment", "event")
_PAIR = ("id", "student_id", "mentor_id", "school_id", "begins_at")
Driver: TypeAlias = "asyncpg.Connection[Any]"


async def _filled(platform: Platform, slug: str, driver: Driver) -> list[UUID]:
    """Schools with classes, pupils, care categories, an announced round, everybody's list and some stars."""
    chance = Random(2026)  # noqa: S311 - wishes, not secrets
    district = platform.state(slug).district
    seals = platform.seals(district)

    async def copy(table: str, columns: Sequence[str], records: Sequence[Sequence[Any]]) -> None:
        await driver.copy_records_to_table(table, schema_name=district.schema, records=records, columns=columns)

    made: list[UUID] = []
    for number in range(SCHOOLS):
        pupils, mentors = [new_id() for _ in range(PUPILS)], [new_id() for _ in range(MENTORS)]
        async with platform.database.work(district) as session:
            school = new_id()
            session.add(Org(id=school, name=f"{number}", type="school"))
            await session.flush()
            await session.execute(sa.insert(Person), [{"id": one, "name": "名"} for one in mentors])
            role = {"org_id": school, "role": "teacher", "begins_on": SINCE}
            await session.execute(
                sa.insert(Membership), [{"id": new_id(), "person_id": one, **role} for one in mentors]
            )
            opens = NOW - timedelta(days=2)
            closes = NOW - timedelta(days=1)
            new = NewRound(school=school, title="b", soft_cap=12, hard_cap=15, opens_at=opens, closes_at=closes)
            row = await rounds.create(
                session, new=new, settings=MentorSettings(), schools={}, orgs=None, by=None, today=TODAY
            )
            await rounds.announce(session, row.id, orgs=None, by=None, now=opens, keys=platform.keys)
        classes = [new_id() for _ in range(PUPILS // CLASS)]
        await copy("person", ("id", "name"), [(one, "名") for one in pupils])
        of_school = [(new_id(), one, school, "student", SINCE) for one in pupils]
        await copy("membership", ("id", "person_id", "org_id", "role", "begins_on"), of_school)
        homes = [(one, f"{at}", "homeroom", f"{at % 3 + 7:02}", school) for at, one in enumerate(classes)]
        await copy("class_group", ("id", "title", "type", "grade", "school_id"), homes)
        places = [(new_id(), one, classes[at // CLASS], "student", SINCE) for at, one in enumerate(pupils)]
        await copy("enrolment", ("id", "person_id", "class_id", "role", "begins_on"), places)
        await copy("demographics", ("person_id", "sex"), [(one, "female") for one in pupils])
        sealed = [sealed_care(seals, id_=new_id(), category="left_behind", value="single") for _ in pupils[::8]]
        cared_for = [(*one.values(), pupil, SINCE) for one, pupil in zip(sealed, pupils[::8], strict=True)]
        await copy("care_category", (*sealed[0], "student_id", "begins_on"), cared_for)
        popular = list(accumulate(chance.lognormvariate(0, 1) for _ in mentors))
        lists: list[list[UUID]] = []
        for _ in pupils:
            wishes: dict[UUID, None] = {}
            while len(wishes) < CHOICES:
                wishes |= dict.fromkeys(chance.choices(mentors, cum_weights=popular, k=CHOICES))
            lists.append(list(wishes)[:CHOICES])
        filed = [(row.id, pupil, choices) for pupil, choices in zip(pupils, lists, strict=True)]
        await copy("mentor_preference", ("round_id", "student_id", "choices"), filed)
        applied: dict[UUID, list[UUID]] = {one: [] for one in mentors}
        for pupil, choices in zip(pupils, lists, strict=True):
            for one in choices:
                applied[one].append(pupil)
        starred = [(row.id, one, students[: len(students) // 10]) for one, students in applied.items()]
        await copy("mentor_favour", ("round_id", "mentor_id", "students"), starred)
        made.append(row.id)
    await driver.execute("ANALYZE")
    return made


async def _match_all(platform: Platform, slug: str) -> tuple[float, float]:
    """What `gongyu mentor run-all` and `publish-all` do."""
    state = platform.state(slug)
    wall, cpu = perf_counter(), process_time()
    for sweep in (try_closed, publish_tried):
        async for done in sweep(platform, state, by=None, now=NOW):
            if done.trouble is not None:
                raise done.trouble
    return perf_counter() - wall, process_time() - cpu


async def _bare(platform: Platform, slug: str, made: list[UUID]) -> tuple[float, float]:
    """Only what the limit has a counterpart for: read, match, prove, write the pairs; no run kept, nobody told."""
    district = platform.state(slug).district
    wall, cpu = perf_counter(), process_time()
    for round_id in made:
        async with platform.database.work(district) as session:
            row = await rounds.managed(session, round_id, orgs=None)
            seed = rounds.open_seed(row, district=district, keys=platform.keys)
            frozen = await freeze(session, row, seed=seed, keys=platform.keys, today=TODAY)
            result = solve(frozen.snapshot)
            require_sound(frozen.snapshot, result)
            raw = await (await session.connection()).get_raw_connection()
            writer: Any = raw.driver_connection
            pairs = zip(frozen.students, result.final, strict=True)
            records = [(new_id(), student, frozen.mentors[mentor], row.school_id, NOW) for student, mentor in pairs]
            await writer.copy_records_to_table(
                "bench_pairs", schema_name=district.schema, records=records, columns=_PAIR
            )
    return perf_counter() - wall, process_time() - cpu


async def _empty_copy(driver: Driver, schema: str, table: str, name: str, *, foreign_keys: bool) -> None:
    await driver.execute(f'DROP TABLE IF EXISTS "{schema}".{name}')
    await driver.execute(f'CREATE TABLE "{schema}".{name} (LIKE "{schema}".{table} INCLUDING ALL)')
    keys = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = $1::text::regclass"
    for (definition,) in await driver.fetch(keys, f'"{schema}".{table}') if foreign_keys else ():
        await driver.execute(f'ALTER TABLE "{schema}".{name} ADD {definition}')


async def _copied(
    driver: Driver, schema: str, read: Sequence[str], written: Sequence[str], *, foreign_keys: bool = True
) -> float:
    contents: dict[str, BytesIO] = {}
    for table in written:
        contents[table] = BytesIO()
        await driver.copy_from_table(table, schema_name=schema, output=contents[table], format="binary")
    times = []
    for _ in range(3 if SCHOOLS < 500 else 1):
        for table in written:
            await _empty_copy(driver, schema, table, f"copy_of_{table}", foreign_keys=foreign_keys)
            contents[table].seek(0)
        started = perf_counter()
        with open(os.devnull, "wb") as nowhere:  # noqa: ASYNC230, PTH123 - a sink
            for table in read:
                await driver.copy_from_table(table, schema_name=schema, output=nowhere, format="binary")
        for table in written:
            name = f"copy_of_{table}"
            await driver.copy_to_table(name, schema_name=schema, source=contents[table], format="binary")
        times.append(perf_counter() - started)
    for table in written:
        await driver.execute(f'DROP TABLE "{schema}".copy_of_{table}')
    return min(times)


async def _measured(environment: dict[str, str]) -> None:
    config = Config.from_environment(environment)
    async with open_platform(config, host=load_host(only=["mentor"])) as platform:
        url = make_url(platform.database.url).set(drivername="postgresql").render_as_string(hide_password=False)
        driver: Driver = await asyncpg.connect(url)
        district = platform.state("bench").district
        await driver.execute(f'SET search_path TO "{district.schema}"')
        made = await _filled(platform, "bench", driver)
        gc.collect()
        gc.freeze()
        before = psutil.Process().memory_info().rss
        whole = await _match_all(platform, "bench")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
        async with platform.database.read(district) as connection:
            standing = sa.select(sa.func.count()).where(Assignment.ends_at.is_(None))
            pairs = (await connection.execute(standing)).scalar_one()
        assert pairs == SCHOOLS * PUPILS
        schema, pairs_only, lists_only = district.schema, ["mentor_assignment"], ["mentor_preference"]
        everything = await _copied(driver, schema, _READ, _WRITTEN)
        bound = await _copied(driver, schema, _READ, pairs_only)
        lists = await _copied(driver, schema, lists_only, pairs_only)
        free = await _copied(driver, schema, lists_only, pairs_only, foreign_keys=False)
        await _empty_copy(driver, district.schema, "mentor_assignment", "bench_pairs", foreign_keys=True)
        await driver.execute("GRANT ALL ON bench_pairs TO PUBLIC; DELETE FROM mentor_assignment")
        await driver.execute("VACUUM ANALYZE mentor_assignment")
        bare = await _bare(platform, "bench", made)
        await driver.close()
        pupils = SCHOOLS * PUPILS
        print(f"{SCHOOLS} schools x {PUPILS:,} pupils                 wall s   CPU s  µs/pupil  to COPY (goal 3x)")

        def line(name: str, wall: float, cpu: float | None = None, limit: float | None = None) -> None:
            shown = "" if cpu is None else f"{cpu:.2f}"
            ratio = "" if limit is None else f"{wall / limit:.1f}x"
            print(f"  {name:<40}{wall:9.2f}{shown:>8}{wall / pupils * 1e6:10.1f}{ratio:>9}")

        line("read, match, prove, write pairs", *bare, limit=bound)
        line("  COPY: all read out, pairs in", bound)
        line("  COPY: lists out, pairs in", lists)
        line("  the same without foreign keys", free)
        line("run, proof, publication, events", *whole, limit=everything)
        line("  COPY: all read out, all written in", everything)
        print(f"  memory above start, MB {(peak - before) / 2**20:26.0f}   (goal 150)")


def run() -> None:
    with database() as (url, folder):
        made = deployment(url, folder / "data")
        made.apply("bench", "[plugins.mentor]\n")
        asyncio.run(_measured(made.environment))


if __name__ == "__main__":
    run()

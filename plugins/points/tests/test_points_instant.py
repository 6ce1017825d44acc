"""Awards written together: each caller gets their own answer or refusal, whoever else is in the same commit."""

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import msgspec
import pytest
import sqlalchemy as sa

from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.plugin import Capability, Context
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.giving import award
from gongyu_points.instant import give
from gongyu_points.instant_queue import Queues
from gongyu_points.schemas import AwardOut, NewAward

if TYPE_CHECKING:
    from tests.conftest import Scene


async def quickly(
    scene: "Scene",
    *students: UUID,
    teacher: int = 0,
    key: UUID | None = None,
    reason: str = "helps_others",
    class_id: UUID | None = None,
    **settings: object,
) -> AwardOut:
    """As over HTTP: with the others where that goes, else the careful way."""
    new = NewAward(id=key or new_id(), points=5, reason=reason, students=students, class_id=class_id)
    giver, orgs, now = scene.principal(scene.teachers[teacher]), frozenset({scene.school}), datetime.now(UTC)
    own = msgspec.structs.replace(scene.state.settings["points"], **settings)
    about = (scene.platform, scene.state)
    done = await give(*about, new=new, giver=giver, orgs=orgs, settings=own, now=now)
    if done is None:
        async with scene.work() as session:
            done = await award(scene.context(session), new=new, giver=giver, orgs=orgs, settings=own)
    return done


async def ends_of(verbs: Iterable[Awaitable[object]]) -> Counter[str]:
    """How each ended; anything but done and a refusal in words is raised."""
    ends: Counter[str] = Counter()
    for end in await asyncio.gather(*verbs, return_exceptions=True):
        if isinstance(end, ProblemError):
            ends[end.kind] += 1
        elif isinstance(end, BaseException):
            raise end
        else:
            ends["done"] += 1
    return ends


async def begin(scene: "Scene", **settings: Any) -> None:  # noqa: ANN401 - fields of the settings
    """An open term in which every pupil has a purse already."""
    await scene.open_term(**settings)
    for number, class_id in enumerate(scene.classes):
        await scene.give(class_id=class_id, teacher=number, points=2)


@pytest.fixture(params=[1, 8, 32, 64])
async def workers(scene: "Scene", request: pytest.FixtureRequest) -> AsyncGenerator[list["Scene"]]:
    """The district as two processes meet it, each with so many connections and a queue of its own."""
    async with AsyncExitStack() as stack:
        databases = [Database(scene.platform.database.url, connections=request.param) for _ in range(2)]
        for database in databases:
            stack.push_async_callback(database.close)
        yield [replace(scene, platform=replace(scene.platform, database=one)) for one in databases]


async def test_answers_of_one_commit_tell_each_their_own_balance(scene: "Scene") -> None:
    await begin(scene)
    first, second, _ = scene.pupils[0]
    keys = sorted(new_id() for _ in range(3))
    answers = await asyncio.gather(
        quickly(scene, first, key=keys[2]),
        quickly(scene, first, second, key=keys[0]),
        quickly(scene, second, key=keys[1]),
    )
    by_key = {one.operation: ([(b.student, b.balance) for b in one.students], one.left) for one in answers}
    assert by_key == {
        keys[0]: ([(first, 7), (second, 7)], 984),
        keys[1]: ([(second, 12)], 979),
        keys[2]: ([(first, 12)], 974),
    }
    commits = await scene.rows("SELECT count(DISTINCT at), count(*) FROM {s}.points_entry WHERE points = 5")
    events = await scene.rows(
        "SELECT count(*) FROM {s}.event AS v JOIN {s}.points_entry AS e ON e.id = (v.data->>'entry')::uuid "
        "AND v.subject IN (SELECT owner_id::text FROM {s}.points_account WHERE id = e.credit) WHERE e.points = 5"
    )
    assert (commits, events) == ([(1, 4)], [(4,)])
    assert (await quickly(scene, first, second, key=keys[0])).operation == keys[0]
    with pytest.raises(ProblemError, match="idempotency-mismatch"):
        await quickly(scene, first, key=keys[0])
    with pytest.raises(ProblemError, match="not-found"):
        await quickly(scene, scene.pupils[1][0], teacher=1, key=keys[0])
    assert (await scene.audit()).sound


async def test_bad_awards_fail_alone_and_the_good_share_a_commit(scene: "Scene") -> None:
    await begin(scene)
    mine, others = scene.pupils
    bad = [
        quickly(scene, others[0]),
        quickly(scene, mine[0], others[0]),
        quickly(scene, mine[0], reason="luck"),
        quickly(scene, mine[0], denominations=(2,)),
        quickly(scene, mine[1], day_cap=6),
        quickly(scene, mine[0], new_id()),
        quickly(scene),
    ]
    good = [quickly(scene, mine[n % 3], day_cap=1000) for n in range(20)]
    assert await ends_of([*good[:10], *bad, *good[10:]]) == {"done": 20, "forbidden": 3, "invalid": 3, "conflict": 1}
    assert await scene.rows("SELECT count(DISTINCT at), count(*) FROM {s}.points_entry WHERE points = 5") == [(1, 20)]
    assert (await scene.audit()).sound


async def test_award_that_breaks_the_common_statement_takes_nobody_along(scene: "Scene") -> None:
    await begin(scene)
    first, second, third = scene.pupils[0]
    key = new_id()
    clash = uuid5(key, str(max(first, second)))  # the key of one is an entry of the other: no look finds that
    ends = await ends_of(
        [
            quickly(scene, first, second, key=key, day_cap=1000),
            quickly(scene, third, key=clash, day_cap=1000),
            *(quickly(scene, third, day_cap=1000) for _ in range(8)),
        ]
    )
    assert ends.pop("done") == 9
    assert sum(ends.values()) == 1
    assert (await scene.audit()).sound


async def test_quota_is_given_out_exactly_by_two_processes(workers: list["Scene"]) -> None:
    scene = workers[0]
    await begin(scene, quota=106)  # 6 are gone for the purses
    pupils = scene.pupils[0]
    ends = await ends_of(quickly(workers[n % 2], pupils[n % 3], day_cap=1000) for n in range(80))
    assert ends == {"done": 20, "conflict": 60}
    assert await scene.books() == {"issue": -318, "quota": 206, "purse": 112}
    assert (await scene.audit()).sound


async def test_purses_classes_and_repeated_keys_never_deadlock_between_processes(workers: list["Scene"]) -> None:
    scene = workers[0]
    await begin(scene)
    pupils, keys = scene.pupils[0], [new_id() for _ in range(12)]
    ends = await ends_of(
        [
            *(quickly(workers[n % 2], pupils[n % 3], key=key, day_cap=1000) for n, key in enumerate(keys)),
            *(quickly(workers[1], pupils[n % 3], key=key, day_cap=1000) for n, key in enumerate(keys)),
            *(quickly(workers[n % 2], class_id=scene.classes[0], day_cap=1000) for n in range(8)),
            *(scene.spend(pupils[n % 3], 2) for n in range(12)),
        ]
    )
    spent = await scene.rows("SELECT count(*) FROM {s}.points_entry WHERE kind = 'redeem'")
    awarded = await scene.rows("SELECT count(*) FROM {s}.points_entry WHERE kind = 'award' AND points = 5")
    assert awarded == [(12 + 3 * 8,)]
    assert ends["done"] == 24 + 8 + int(str(spent[0][0]))
    assert (await scene.audit()).sound


@pytest.mark.parametrize("pause", [0, 0.0005, 0.002])
async def test_caller_who_hangs_up_takes_nobody_along(scene: "Scene", pause: float) -> None:
    await begin(scene)
    pupil, keys = scene.pupils[0][0], [new_id() for _ in range(8)]
    tasks = [asyncio.create_task(quickly(scene, pupil, key=key, day_cap=1000)) for key in keys]
    await asyncio.sleep(pause)
    tasks[3].cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, AwardOut) for n, end in enumerate(ends) if n != 3)
    again = await quickly(scene, pupil, key=keys[3], day_cap=1000)
    assert again.operation == keys[3]
    assert (await scene.books())["purse"] == 12 + 5 * 8
    assert (await scene.audit()).sound


async def test_mentees_are_asked_of_whoever_knows_them(scene: "Scene") -> None:
    await begin(scene)
    theirs = scene.pupils[1][0]

    async def students_of(context: Context, *, person: UUID) -> list[UUID]:
        assert context.district == scene.state.district
        return [theirs] if person == scene.teachers[0] else []

    host = copy.copy(scene.platform.host)
    offered = Capability("mentor.students_of", Text(zh="导师的学生", en="Mentees"), students_of)
    host.capabilities = {**host.capabilities, offered.name: ("points", offered)}
    scene = replace(scene, platform=replace(scene.platform, host=host))
    ends = await ends_of(
        [quickly(scene, theirs), quickly(scene, scene.pupils[0][0]), quickly(scene, theirs, teacher=1)]
    )
    assert ends == {"done": 1, "forbidden": 2}
    grounds = await scene.rows("SELECT ground FROM {s}.points_entry WHERE points = 5")
    assert grounds == [("mentor",)]


@pytest.mark.parametrize("pause", [0, 0.0005])
async def test_writer_that_is_stopped_leaves_nobody_waiting(scene: "Scene", pause: float) -> None:
    await begin(scene)
    task = asyncio.create_task(quickly(scene, scene.pupils[0][0]))
    await asyncio.sleep(pause)
    writers = [one for one in asyncio.all_tasks() if one.get_name() == "awards of ezhou"]
    assert [one.cancel() for one in writers] == [True]
    assert (await task).left == 989
    assert (await quickly(scene, scene.pupils[0][0])).left == 984
    assert scene.platform.kept(Queues) is scene.platform.kept(Queues)


async def test_common_statement_has_no_more_rights_than_its_caller(scene: "Scene") -> None:
    await begin(scene)
    call = (
        "SELECT * FROM {s}.points_give(current_date, 'points.awarded.v1', ARRAY[CAST(:key AS uuid)], "
        "ARRAY[CAST(:giver AS uuid)], ARRAY['quota'], ARRAY[CAST(:giver AS uuid)], ARRAY['honest'], "
        "ARRAY[CAST(:points AS bigint)], ARRAY[CAST(1000 AS bigint)], ARRAY[''], ARRAY[CAST(NULL AS bytea)], "
        "ARRAY[CAST('x' AS bytea)], ARRAY[CAST(:key AS uuid)], ARRAY[CAST(:pupil AS uuid)], "
        "ARRAY[CAST(:key AS uuid)], ARRAY['{}'])"
    )
    values = {"key": new_id(), "giver": scene.teachers[0], "pupil": scene.pupils[0][0]}
    for points in (3, -5, 0):
        with pytest.raises(sa.exc.IntegrityError, match="ck_points_entry_"):
            await scene.rows(call, points=points, **values)
    assert await scene.rows(call, points=2000, **values) == [(None, None, None)]
    assert await scene.rows(call, points=5, **values) == [([1], [7], [989])]

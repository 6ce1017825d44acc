"""Every route × every role × whose it is, against a table that people have reviewed.

`route_expectations.toml` says for each route what each role gets. A route without a row fails, and so does a row
without a route: whoever adds a route writes down, in the same change, who may use it and on whom.

Each request is made with the example of the API's own documentation as its body, and everything it changes is rolled
back, so that no request of the walk depends on another. What is asked for is there: see `walk/`.
"""

import tomllib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from litestar.routes import HTTPRoute
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import sessions
from gongyu.access.authenticate import cookie_name
from gongyu.access.models import Account, ApiToken
from gongyu.access.passwords import Passwords
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import SignIn
from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.events.models import WebhookRow
from gongyu.host import Host
from gongyu.people.models import ClassGroup, Enrolment, Guardianship, Membership, Org, Person
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app
from gongyu.web.door import Door
from gongyu.web.observe import Observe
from gongyu.web.refusals import Refusals

from .walk.ending import ending
from .walk.ground import BODIES, KIND, PLACES, Bodies, Ground, Paths, Queries, Thing, Things, of_core

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.timeout(600),
]
TABLE: Final = Path(__file__).with_name("route_expectations.toml")
#: `homeroom` has the class of `student`, whose `guardian` it is; `mentor`, `counselor`, `lead` and `teacher` are at the
#: same school and have no class: what they are to the pupil, the plugins say (`teacher` is who once was something).
#: `estranged` is a guardian of `student` who may not be in contact.
ROLES: Final = (
    "administrator",
    "site",
    "principal",
    "homeroom",
    "mentor",
    "counselor",
    "lead",
    "teacher",
    "student",
    "guardian",
    "estranged",
    "nobody",
)
#: Anybody's credentials of this district, at the district next door.
ELSEWHERE: Final = "elsewhere"
LONG_AGO: Final = date(2020, 9, 1)
Json = dict[str, Any]


@dataclass
class Scene:
    """A district of two schools, a person of each role at the first, and what they could ask for, near and far."""

    app: Observe
    persons: dict[str, UUID]
    cookies: dict[str, str]
    #: By the name of a path parameter, a plugin's own as `<plugin>.<name>`.
    things: Things = field(default_factory=dict)
    #: By place, what is written where somebody speaks of the pupil.
    marks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bodies: Bodies = field(default_factory=dict)
    paths: Paths = field(default_factory=dict)
    queries: Queries = field(default_factory=dict)


class CheapHasher(PasswordHasher):
    """Nobody's password is guarded here."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)


async def _add(session: AsyncSession, table: type[Any], **values: object) -> UUID:
    id_ = new_id()
    await session.execute(sa.insert(table).values(id=id_, **values))
    return id_


async def _member(session: AsyncSession, name: str, role: str, org: UUID) -> UUID:
    person = await _add(session, Person, name=name)
    await _add(session, Membership, person_id=person, org_id=org, role=role, begins_on=LONG_AGO)
    return person


def _pupil(place: str) -> str:
    return f"学生{PLACES.index(place) + 1}"


def _module(plugin: str) -> ModuleType | None:
    """What `walk/` says of a plugin, if it says anything."""
    there = Path(__file__).with_name("walk").joinpath(f"{plugin}.py").exists()
    return import_module(f".walk.{plugin}", __package__) if there else None


async def _populate(
    session: AsyncSession, platform: Platform, state: DistrictState
) -> tuple[dict[str, UUID], dict[str, dict[str, UUID]]]:
    """Persons by role, and things by place."""
    root = (await session.execute(sa.select(Org.id).where(Org.type == "district"))).scalar_one()
    near, far = [await _add(session, Org, name=name, type="school", parent_id=root) for name in ("一小", "二小")]
    schools = dict(zip(PLACES, [near, near, far], strict=True))
    persons = {
        "administrator": await _member(session, "管局长", "districtAdministrator", root),
        "site": await _member(session, "网管", "siteAdministrator", near),
        "principal": await _member(session, "校长", "principal", near),
        "homeroom": await _member(session, "班主任", "teacher", near),
        "mentor": await _member(session, "导师", "teacher", near),
        "counselor": await _member(session, "心理老师", "counselor", near),
        "lead": await _member(session, "德育主任", "teacher", near),
        "teacher": await _member(session, "科任", "teacher", near),
        "guardian": await _member(session, "家长", "guardian", near),
        "estranged": await _member(session, "家长", "guardian", near),
    }
    await _member(session, "校长", "principal", far)
    teachers = {"own": persons["homeroom"]}
    things: Things = {"person": {}, "class_id": {}, "token": {}, "school": schools}
    for place, school in schools.items():
        title = f"{PLACES.index(place) + 1}班"
        class_id = await _add(session, ClassGroup, title=title, type="homeroom", school_id=school)
        pupil = await _member(session, _pupil(place), "student", school)
        enrolled = {"class_id": class_id, "begins_on": LONG_AGO}
        await _add(session, Enrolment, person_id=pupil, role="student", **enrolled)
        if place == "own":
            persons["student"] = pupil
            for guardian, kind in (("guardian", "mother"), ("estranged", "father")):
                bond = {"guardian_id": persons[guardian], "student_id": pupil, "kind": kind, "is_legal": True}
                allowed = guardian != "estranged"
                await _add(session, Guardianship, **bond, contact_allowed=allowed, begins_on=LONG_AGO)
        else:
            teachers[place] = await _member(session, f"班主任{title}", "teacher", school)
        teacher = {"person_id": teachers[place], "role": "teacher", "is_primary": True}
        await _add(session, Enrolment, **teacher, **enrolled)
        expires = datetime.now(UTC) + timedelta(days=1)
        things["person"][place], things["class_id"][place] = pupil, class_id
        token = {"name": "x", "hash": uuid4().bytes, "scopes": ["*"], "expires_at": expires}
        things["token"][place] = await _add(session, ApiToken, person_id=pupil, **token)
    hook = await _add(session, WebhookRow, url="https://example.org/", types=[], secret=b"")
    things["webhook"] = dict.fromkeys(PLACES, hook)
    things["student"], things["teacher"] = things["person"], teachers
    ground = Ground(platform, state, schools, things["class_id"], things["person"], teachers, persons)
    things |= await of_core(session, ground)
    for name in state.enabled:
        if module := _module(name):
            made = await module.things(session, ground)
            things |= {f"{name}.{parameter}": places for parameter, places in made.items()}
    return persons, things


async def _cookies(session: AsyncSession, persons: Mapping[str, UUID]) -> dict[str, str]:
    now = datetime.now(UTC)
    for role, person in persons.items():
        await session.execute(sa.insert(Account).values(person_id=person, username=role))
    return {
        role: await sessions.start(session, person=person, method="password", rules=AccessRules(), now=now)
        for role, person in persons.items()
    }


@asynccontextmanager
async def _work_undone(self: Database, district: District) -> AsyncGenerator[AsyncSession]:
    async with self.session(district) as session:
        await session.begin()
        yield session
        await session.flush()
        await session.rollback()


@pytest.fixture
async def scene(platform: Platform, host: Host, make_district: MakeDistrict, monkeypatch: pytest.MonkeyPatch) -> Scene:
    assert not host.refused, "what cannot load has no routes to walk"
    plugins = "\n".join(f"[plugins.{name}]" for name in host.plugins)
    state = await make_district("ezhou", plugins)
    await make_district("huangshi", plugins, name="黄石市")
    async with platform.database.work(state.district) as session:
        persons, things = await _populate(session, platform, state)
        cookies = await _cookies(session, persons)
    door = Door(SignIn(platform, Passwords(CheapHasher())), Refusals(platform.database))
    app = create_app(platform, door=door)
    monkeypatch.setattr(Database, "work", _work_undone)
    monkeypatch.setattr(AsyncSession, "commit", AsyncSession.rollback)
    bodies: Bodies = BODIES
    paths: Paths = {}
    queries: Queries = {}
    for name in state.enabled:
        if module := _module(name):
            bodies = {**bodies, **module.BODIES}
            paths = {**paths, **getattr(module, "PATHS", {})}
            queries = {**queries, **getattr(module, "QUERIES", {})}
    marks = {place: (str(pupil), _pupil(place)) for place, pupil in things["student"].items()}
    return Scene(app, persons, cookies, things, marks, bodies, paths, queries)


def routes_of(app: Observe) -> list[tuple[str, str]]:
    """Method and path of everything that is answered; Litestar's own OPTIONS apart, which only list methods."""
    return sorted(
        (method, route.path_format or "/")
        for route in app.app.routes  # type: ignore[attr-defined]  # the Litestar inside
        if isinstance(route, HTTPRoute)
        for method in route.route_handler_map
        if method != "OPTIONS"
    )


def bodies_of(document: Json) -> dict[tuple[str, str], Json]:
    """The example of each body that is JSON."""
    found = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in content:
                found[method.upper(), path] = content["example"]
    return found


def meaning(status: int) -> str:
    """What the table says: let in (`2xx`, `3xx`), let in and found wanting (`4xx`), or which refusal."""
    if status in (401, 403, 404):
        return str(status)
    return f"{status // 100}xx"


def _named(route: str) -> bool:
    """Whether the path says of whom or of what."""
    return "{" in route.replace("{district}", "")


class Walk:
    """Asks as one role after the other; each request comes from an address of its own, so that none is over a limit."""

    def __init__(self, scene: Scene, bodies: Mapping[tuple[str, str], Json]) -> None:
        self._scene, self._bodies, self._numbers = scene, bodies, count(1)

    async def _ask(self, row: str, place: str, role: str, headers: Mapping[str, str], district: str = "ezhou") -> str:
        number = next(self._numbers)
        address = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
        transport = httpx.ASGITransport(app=ending(self._scene.app), client=(address, 1))  # type: ignore[arg-type]  # ASGI's types differ in name
        thing = partial(self._thing, row, place, role)
        method, url = self._url(row, thing, district)
        body = self._body(row, thing)
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        async with httpx.AsyncClient(transport=transport, base_url="https://gongyu.test") as client:
            answer = await client.request(method, url, headers=dict(headers), **content)
        said = meaning(answer.status_code)
        return f"{said} {self._about(answer)}".strip() if method == "GET" and not _named(row) else said

    def _about(self, answer: httpx.Response) -> str:
        """Of a list: whose pupils it speaks of, by number or by name."""
        if not answer.is_success or "{" not in answer.text:
            return ""
        return " ".join(place for place, marks in self._scene.marks.items() if any(one in answer.text for one in marks))

    def _thing(self, row: str, place: str, role: str, name: str) -> str:
        if name == "oneself":
            return str(self._scene.persons.get(role, uuid4()))
        places = self._scene.things.get(f"{_area(row)}.{name}") or self._scene.things.get(name, {})
        return str(places.get(place, uuid4()))

    def _url(self, row: str, thing: Thing, district: str) -> tuple[str, str]:
        method, _, path = row.partition(KIND)[0].partition(" ")
        stands = self._scene.paths.get(row, {})
        url = path.replace("{district}", district)
        while "{" in url:
            name = url[url.index("{") + 1 : url.index("}")]
            url = url.replace(f"{{{name}}}", thing(stands.get(name, name)))
        query = _of(self._scene.queries, row)
        if callable(query):
            query = query(thing)
        return method, f"{url}?{query}" if query else url

    def _body(self, row: str, thing: Thing) -> Any:  # noqa: ANN401 - any JSON, or bytes
        """The example, with what is there in place of what is not."""
        method, _, path = row.partition(KIND)[0].partition(" ")
        body, real = self._bodies.get((method, path)), _of(self._scene.bodies, row) or {}
        if callable(real):
            return real(thing)
        if isinstance(body, dict):
            body = {field: value for field, value in body.items() if real.get(field, "") is not None}
            body |= {
                field: [thing(name[0])] if isinstance(name, list) else thing(name)
                for field, name in real.items()
                if name is not None
            }
        return body

    async def _at(self, row: str, role: str) -> str:
        cookie = self._scene.cookies.get(role)
        headers = {"cookie": f"{cookie_name('ezhou')}={cookie}"} if cookie else {}
        of_something = _named(row) or _of(self._scene.bodies, row) is not None
        places = PLACES if of_something else PLACES[:1]
        found = [await self._ask(row, place, role, headers) for place in places]
        return found[0] if len(set(found)) == 1 else " / ".join(found)

    async def _elsewhere(self, row: str) -> str:
        """With what lets them in at home, at the district next door: who may most and who may least stand for all."""
        found = set()
        for role in ("administrator", "guardian"):
            cookie = self._scene.cookies.get(role, "")
            headers = {"cookie": f"{cookie_name('huangshi')}={cookie}; {cookie_name('ezhou')}={cookie}"}
            found.add(await self._ask(row, "own", role, headers, "huangshi"))
        return " | ".join(sorted(found))

    def rows_of(self, route: str) -> list[str]:
        """The route, and each kind of thing that it is to be asked for besides."""
        return [route, *sorted(name for name in self._scene.paths if name.startswith(route + KIND))]

    async def row(self, name: str) -> dict[str, str]:
        row = {role: await self._at(name, role) for role in ROLES}
        if "{district}" in name:
            row[ELSEWHERE] = await self._elsewhere(name)
        return row


def _of(named: Mapping[str, Any], row: str) -> Any:  # noqa: ANN401 - a body or a query
    """By the row's own name, or else by its route."""
    return named.get(row, named.get(row.partition(KIND)[0]))


def written(row: Mapping[str, str]) -> str:
    """A row as it stands in the table: by what they get, who gets it; `*` is everybody else. Where it makes a
    difference whose it is, or a list speaks of pupils, nobody is let in without being named.
    """
    groups: dict[str, list[str]] = {}
    for role, said in row.items():
        groups.setdefault(said, []).append(role)
    rest = max(groups, key=lambda said: (" " not in said, len(groups[said])))
    parts = [f'"{said}" = "{"*" if said == rest else " ".join(roles)}"' for said, roles in sorted(groups.items())]
    return "{ " + ", ".join(parts) + " }"


def read(groups: Mapping[str, str], row: Mapping[str, str]) -> dict[str, str]:
    """What the table says of each role in a row; a role that no group names gets nothing that could be met."""
    named = {role: said for said, roles in groups.items() for role in roles.split()}
    return {role: named.get(role, named.get("*", "—")) for role in row}


async def test_every_route_gives_each_role_what_the_table_says(scene: Scene) -> None:
    transport = httpx.ASGITransport(app=scene.app)  # type: ignore[arg-type]  # ASGI's types differ in name
    async with httpx.AsyncClient(transport=transport, base_url="https://gongyu.test") as client:
        document = (await client.get("/openapi.json")).json()
    expected = tomllib.loads(TABLE.read_text("utf-8"))
    walk = Walk(scene, bodies_of(document))
    names = [name for method, path in routes_of(scene.app) for name in walk.rows_of(f"{method} {path}")]
    found = {name: await walk.row(name) for name in names}
    here = {_area(name) for name in found}  # a plugin that is not on this machine has rows and no routes
    gone = [name for name in expected if name not in found and _area(name) in here]
    differ = {
        name: row
        for name, row in found.items()
        if read(expected.get(name, {}), row) != row or "5xx" in written(row)  # nobody can expect our own fault
    }
    lines = [f'gone: "{name}"' for name in gone]
    lines += [f'"{name}" = {written(row)}' for name, row in differ.items()]
    assert not lines, "the table of expectations says otherwise; review each:\n" + "\n".join(lines)


def _area(name: str) -> str:
    """`mentor` of `GET /api/v1/{district}/mentor/rounds`."""
    return next(iter(name.split("/")[4:]), "")

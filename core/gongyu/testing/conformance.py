# ruff: noqa: S101
# (It is a test suite, and assert is how pytest asserts.)
"""What every plugin must show before an operator may trust it; the plugins of this house get no easier one.

    pytest --pyargs gongyu.testing.conformance --gongyu-plugin NAME

The option may be repeated; without it every installed plugin is looked at. PostgreSQL comes from the pytest plugin of
this package, so nothing else is needed.
"""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final
from uuid import uuid4
from zipfile import ZipFile

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler
from packaging.requirements import Requirement

from gongyu import hookspecs
from gongyu.access.tokens import create_token
from gongyu.database import migrations
from gongyu.database.model import Base
from gongyu.districts.export import erase_plugin, export_district, row_counts
from gongyu.districts.registry import DistrictState
from gongyu.districts.service import apply_file, current_file, switched
from gongyu.districts.settings import json_schema, read_settings, to_raw
from gongyu.host import Host, Plugin
from gongyu.host.discovery import ENTRY_POINT_GROUP
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform, histories
from gongyu.plugin import Public, SignedIn, Text
from gongyu.testing.catalogue import catalogue
from gongyu.testing.guard import check_metadata, check_source
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings(
        "ignore::litestar.exceptions.LitestarDeprecationWarning"
    ),  # the platform's, not the plugin's
]

_ACTOR: Final = "operator:conformance"
_PARAMETER: Final = re.compile(r"{[^:}]*:?([^}]*)}")
_SAMPLES: Final = {
    "int": "1",
    "float": "1.5",
    "decimal": "1.5",
    "uuid": str(uuid4()),
    "date": "2026-09-01",
    "datetime": "2026-09-01T08:00:00Z",
    "time": "08:00:00",
    "timedelta": "PT1H",
}
_SAFE: Final = ("GET", "HEAD")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One round of the whole suite for each plugin asked for."""
    if "name" in metafunc.fixturenames:
        asked = metafunc.config.getoption("gongyu_plugin")
        installed = sorted({point.name for point in metadata.entry_points(group=ENTRY_POINT_GROUP)})
        metafunc.parametrize("name", asked or installed, scope="module")


@pytest.fixture
def plugin(name: str, host: Host) -> Plugin:
    """The plugin, or why it is not available."""
    if refusal := host.refused.get(name):
        pytest.fail(f"plugin {name} is not available: {refusal.reason.en}\n{refusal.traceback}", pytrace=False)
    if name not in host.plugins:
        pytest.fail(f"plugin {name} is not installed; there are: {', '.join(host.plugins)}", pytrace=False)
    return host.plugins[name]


@pytest.fixture
def switches(plugin: Plugin, host: Host) -> str:
    """The part of a district's file that switches it on, with all it requires."""
    needed = {plugin.name}
    for other in reversed(list(host.plugins.values())):
        needed |= set(other.info.requires) if other.name in needed else set()
    return "".join(f"[plugins.{name}]\n" for name in sorted(needed))


def _folder(plugin: Plugin) -> Path:
    return Path(str(resources.files(plugin.module.__name__.partition(".")[0])))


# ── Its package, without a database ───────────────────────────────────────────────────────────────────────────────────


def test_package_says_which_platform_it_needs_as_a_range(plugin: Plugin) -> None:
    """An `==` between our packages breaks every installation at the next release."""
    needs = [Requirement(line) for line in metadata.requires(plugin.distribution) or ()]
    ours = {need.name: need.specifier for need in needs if need.name == "gongyu"}
    assert ours.get("gongyu"), f"{plugin.distribution} does not declare a range of gongyu it depends on"
    assert {specifier.operator for specifier in ours["gongyu"]} <= {">=", "<", "<=", ">", "!=", "~="}


def test_package_imports_no_other_plugin(plugin: Plugin) -> None:
    own = plugin.module.__name__.partition(".")[0]
    found = metadata.entry_points(group=ENTRY_POINT_GROUP)
    others = {point.module.partition(".")[0] for point in found} - {own}
    assert [f"{place} imports {module}" for place, module in _imports(_folder(plugin)) if module in others] == []


def _imports(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                yield f"{path.relative_to(folder)}:{getattr(node, 'lineno', 0)}", name.partition(".")[0]


def test_sources_and_tables_keep_the_rules_of_many_districts(plugin: Plugin) -> None:
    """Those of `gongyu.testing.guard`: what works on one PostgreSQL and breaks on many, mostly in silence."""
    found = check_source(_folder(plugin))
    found += check_metadata(plugin.tables, prefix=f"{plugin.name}_", core_tables=frozenset(Base.metadata.tables))
    assert [f"{finding.place}: {finding.code} {finding.text.en}" for finding in found] == []


def test_every_word_for_people_is_in_both_languages(plugin: Plugin) -> None:
    words: dict[str, Text] = {"title": plugin.info.title, "summary": plugin.info.summary}
    words |= {permission.name: permission.title for permission in plugin.permissions}
    words |= {event.type: event.title for event in plugin.event_types}
    words |= {f"job {job.name}": job.title for job in plugin.jobs}
    words |= {f"capability {capability.name}": capability.title for capability in plugin.capabilities}
    assert [what for what, text in words.items() if not (text.zh.strip() and text.en.strip())] == []
    chinese = re.compile(r"[\u3400-\u9fff]")
    assert [what for what, text in words.items() if chinese.search(text.en)] == []


def test_permissions_are_named_after_thing_and_verb(plugin: Plugin) -> None:
    right = re.compile(rf"{plugin.name}(\.[a-z][a-z0-9_]*){{2}}")
    assert [permission.name for permission in plugin.permissions if not right.fullmatch(permission.name)] == []


def test_every_route_is_described_and_says_who_may(plugin: Plugin) -> None:
    """The host has refused routes without a permission; an open one must also say why it is open."""
    wrong = []
    for handler in plugin.routes:
        permission, place = handler.opt["permission"], f"{sorted(handler.http_methods)} {sorted(handler.paths)}"
        if isinstance(permission, Public | SignedIn) and not permission.reason.strip():
            wrong.append(f"{place}: no reason for being open")
        if not isinstance(handler.operation_id, str):
            wrong.append(f"{place}: no operation_id; made from the path, it changes with it")
        title = handler.opt.get("title")
        if not (handler.summary or (title.zh and title.en if isinstance(title, Text) else "")):
            wrong.append(f"{place}: no summary and no title in both languages")
    assert wrong == []


def test_settings_are_closed_frozen_and_valid_from_the_start(plugin: Plugin) -> None:
    type_ = plugin.settings_type
    if type_ is None:
        return
    assert type_.__struct_config__.frozen, "settings are shared by requests: frozen=True"
    assert type_.__struct_config__.forbid_unknown_fields, "a misspelled setting must be an error"
    default = type_()
    read, errors = read_settings(type_, to_raw(default), path=f"plugins.{plugin.name}")
    assert ([error.render("en") for error in errors], read) == ([], default)
    assert json_schema(type_)["$defs"][type_.__name__]["properties"].keys() == {
        field.encode_name for field in msgspec.structs.fields(type_)
    }


def test_events_are_frozen_and_carry_no_words(plugin: Plugin) -> None:
    """Free text in an event is how a pupil's secret gets into other plugins' logs and strangers' webhooks."""
    wrong = []
    for event in plugin.event_types:
        if not event.__struct_config__.frozen:
            wrong.append(f"{event.type}: not frozen")
        forms = msgspec.json.schema(event)["$defs"][event.__name__]["properties"]
        for field, form in forms.items():
            if form.get("type") == "string" and not {"format", "enum", "pattern", "maxLength"} & form.keys():
                wrong.append(f"{event.type}: {field} is free text; give an id, a Literal, or a bound")
    assert wrong == []


def test_plugin_that_knows_people_can_tell_and_forget(plugin: Plugin, host: Host) -> None:
    """Everybody has a right to a copy of what is held about them, and to be forgotten (PIPL 45, 47)."""
    keys = [key for table in plugin.tables.tables.values() for key in table.foreign_keys]
    if not any(key.target_fullname == "person.id" for key in keys):
        return
    hooks = (host.manager.hook.person_data, host.manager.hook.person_erased)
    missing = [hook.name for hook in hooks if plugin.name not in {found.plugin_name for found in hook.get_hookimpls()}]
    assert missing == []


# ── Its routes, in two districts ──────────────────────────────────────────────────────────────────────────────────────


def _calls(plugin: Plugin) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for handler in plugin.routes:
        for path in sorted(handler.paths):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                yield method, _PARAMETER.sub(lambda kind: _SAMPLES.get(kind[1], "x"), path), handler


async def _token(platform: Platform, state: DistrictState, plugin: Plugin) -> str:
    """Of somebody who has every role there is, in the whole district."""
    roles = {"districtAdministrator"} | {role for permission in plugin.permissions for role in permission.roles}
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalars().first()
        person = Person(name="试")
        session.add(person)
        await session.flush()
        since = datetime.now(UTC).date() - timedelta(days=1)
        session.add_all(Membership(person_id=person.id, org_id=root, role=role, begins_on=since) for role in roles)
        await session.flush()
        until = datetime.now(UTC) + timedelta(days=1)
        return await create_token(session, person=person.id, name="conformance", scopes=["*"], expires_at=until)


async def test_routes_answer_nobody_who_may_not_ask_and_never_break(
    plugin: Plugin, switches: str, platform: Platform, make_district: MakeDistrict
) -> None:
    """Off: 404. Not signed in, or of another district: 401, unless public. With every right and nonsense: never 5xx."""
    here = await make_district("here", switches)
    there = await make_district("there", switches.replace(f"[plugins.{plugin.name}]\n", ""))
    elsewhere = await make_district("elsewhere", switches)
    tokens = {state.district.slug: await _token(platform, state, plugin) for state in (here, there, elsewhere)}
    wrong: list[str] = []
    app: Any = create_app(platform)  # Litestar's words for ASGI's types are not httpx's
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://conformance.test") as client:
        for method, path, handler in _calls(plugin):

            async def ask(district: str, token: str = "", *, of: tuple[str, str] = (method, path)) -> httpx.Response:
                headers = {"authorization": f"Bearer {token}"} if token else {}
                address, body = (
                    f"/api/v1/{district}/{plugin.name}{of[1]}",
                    None if of[0] in _SAFE else {"nonsense": ["?"]},
                )
                return await client.request(of[0], address, headers=headers, json=body)

            public = isinstance(handler.opt["permission"], Public)
            off, unknown = await ask("there", tokens["there"]), await ask("nowhere", tokens["here"])
            strangers = [await ask("here"), await ask("here", tokens["elsewhere"])]
            entitled = await ask("here", tokens["here"])
            said = [f"off: {off.status_code}"] * (off.status_code != httpx.codes.NOT_FOUND)
            said += [f"no such district: {unknown.status_code}"] * (unknown.status_code != httpx.codes.NOT_FOUND)
            said += [f"entitled: {entitled.status_code}"] * (entitled.status_code >= httpx.codes.INTERNAL_SERVER_ERROR)
            for answer in strangers:
                broken = answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
                open_ = answer.status_code != httpx.codes.UNAUTHORIZED and not public
                said += [f"not signed in: {answer.status_code}"] * (broken or open_)
            wrong += [f"{method} {path}: {one}" for one in said]
    assert wrong == []


# ── Its data: made, kept apart, moved, and left ───────────────────────────────────────────────────────────────────────


async def test_migrations_make_the_models_and_can_be_taken_back(plugin: Plugin, platform: Platform) -> None:
    if plugin.migrations is None:
        return
    database = platform.database
    core, *others = histories(platform.host, [plugin.name])
    history = others[0]
    assert await migrations.differences(database, history, [core]) == []
    await migrations.make_schema(database, "d_scratch")
    await migrations.upgrade_schema(database, "d_scratch", -2, [core])
    empty = await catalogue(database, "d_scratch")
    await migrations.upgrade_schema(database, "d_scratch", -2, [history])
    full = await catalogue(database, "d_scratch")
    await migrations.upgrade_schema(database, "d_scratch", -2, [history], target="base")
    left = {row for row in await catalogue(database, "d_scratch") if history.version_table not in row[0]}
    assert left - empty == set(), "its downgrade leaves something behind"
    assert empty - left == set(), "its downgrade takes something of the core"
    await migrations.upgrade_schema(database, "d_scratch", -2, [history])
    assert await catalogue(database, "d_scratch") == full


async def test_districts_do_not_see_each_other(
    plugin: Plugin, switches: str, platform: Platform, make_district: MakeDistrict
) -> None:
    here, there = await make_district("here", switches), await make_district("there", switches)
    before = await row_counts(platform, "there")
    async with platform.database.work(here.district) as session:
        own = [(plugin.name, platform.context(plugin.name, here, session))]
        await platform.dispatcher.call(hookspecs.demo_played, own)
        for job in plugin.jobs:
            await job.run(platform.context(plugin.name, here, session))
    assert await row_counts(platform, "there") == before
    query = sa.text("SELECT schemaname, tablename FROM pg_catalog.pg_tables WHERE starts_with(tablename, :prefix)")
    async with platform.database.owner.connect() as connection:
        places = {row[0] for row in await connection.execute(query, {"prefix": f"{plugin.name}_"})}
    assert places <= {here.district.schema, there.district.schema}


async def test_off_and_on_again_is_harmless_and_leaving_leaves_nothing(
    plugin: Plugin, switches: str, platform: Platform, make_district: MakeDistrict, tmp_path: Path
) -> None:
    async def switch(*, on: bool) -> dict[str, int]:
        file = current_file(platform, "here")
        assert file is not None
        change = {"on" if on else "off": [plugin.name]}
        await apply_file(platform, switched(file, **change), actor=_ACTOR)
        return await row_counts(platform, "here", plugin=plugin.name)

    await make_district("here", switches)
    fresh = await row_counts(platform, "here", plugin=plugin.name)
    assert set(fresh) == set(plugin.tables.tables)
    assert await switch(on=False) == fresh, "switching off must keep the data"
    assert await switch(on=True) == fresh, "switching on again must not double what is there"
    await switch(on=False)
    written = await export_district(platform, "here", tmp_path / "left.zip", actor=_ACTOR, plugin=plugin.name)
    assert dict(written) == fresh
    with ZipFile(tmp_path / "left.zip") as archive:
        lines = {name: len(archive.read(f"tables/{name}.jsonl").splitlines()) for name in fresh}
    assert lines == fresh
    core = set(await row_counts(platform, "here")) - set(fresh)
    await erase_plugin(platform, "here", plugin.name, actor=_ACTOR)
    assert set(await row_counts(platform, "here")) == core
    assert await switch(on=True) == fresh, "after being erased it starts afresh"

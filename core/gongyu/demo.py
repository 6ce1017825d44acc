"""The demonstration: two districts with different plugins, filled by the real import, played by the real hooks.

It names no plugin: the first district uses every plugin that is there, the second the first half of them.
"""

import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa

from gongyu import hookspecs
from gongyu.access.tokens import create_token
from gongyu.checks import plugin_failures
from gongyu.districts.file import DistrictFile, PluginEntry
from gongyu.districts.service import apply_file
from gongyu.events import outbox
from gongyu.events.worker import drain
from gongyu.people.generate import generate, write_oneroster
from gongyu.people.importing.service import import_roster
from gongyu.people.models import Guardianship, Membership, Person
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["DEMO_DISTRICTS", "DemoDistrict", "play"]

DEMO_DISTRICTS: Final = {"ezhou": "鄂州市", "yangzhou": "扬州市"}
_ACTOR: Final = "operator:demo"
_SEED: Final = 20260901
_PUPILS: Final = 960


class SignIn(msgspec.Struct, frozen=True):
    """A ready-made sign-in: whoever holds the token is this person."""

    role: str
    person: str
    token: str


class Figure(msgspec.Struct, frozen=True):
    """A closing figure of one plugin (`core` for the roster)."""

    plugin: str
    title: Text
    figure: int | float | str


class DemoDistrict(msgspec.Struct, frozen=True):
    """What stands at the end of the demonstration in one district."""

    slug: str
    name: str
    plugins: Sequence[str]
    figures: Sequence[Figure]
    failures: Mapping[str, str]
    sign_ins: Sequence[SignIn]


async def play(platform: Platform) -> AsyncGenerator[DemoDistrict]:
    """Make, fill and play what is not there yet; yields each district when it is done.

    A district that stands already is left as it is (`figures` empty), so that the second run starts at once.
    """
    available = list(platform.host.plugins)
    shares = (available, available[: len(available) // 2])
    for (slug, name), plugins in zip(DEMO_DISTRICTS.items(), shares, strict=True):
        if slug in platform.registry.states:
            state = platform.state(slug)
            yield DemoDistrict(slug, name, state.enabled, [], {}, await _sign_ins(platform, slug))
            continue
        wanted = DistrictFile(slug=slug, name=name, plugins={plugin: PluginEntry() for plugin in plugins})
        await apply_file(platform, wanted, actor=_ACTOR)
        figures = await _fill(platform, slug)
        played, failures = await _play_plugins(platform, slug)
        await drain(platform, slug)
        yield DemoDistrict(slug, name, plugins, [*figures, *played], failures, await _sign_ins(platform, slug))


async def _fill(platform: Platform, slug: str) -> list[Figure]:
    """People, through the roster import as an operator would do it."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / f"{slug}.zip"
        today = datetime.now(UTC).date()
        seed = _SEED + list(DEMO_DISTRICTS).index(slug)
        population = generate(seed, schools=2, pupils=_PUPILS, name=DEMO_DISTRICTS[slug], slug=slug, today=today)
        write_oneroster(population, package)
        report = await import_roster(platform, slug, package, actor=_ACTOR)
    return [Figure("core", title, count) for title, count in report.counts]


async def _play_plugins(platform: Platform, slug: str) -> tuple[list[Figure], dict[str, str]]:
    """Each plugin in a transaction of its own, with what the ones before it have left."""
    state = platform.state(slug)
    figures: list[Figure] = []
    for plugin in state.enabled:
        async with outbox.work(platform, state) as session:
            context = platform.context(plugin, state, session)
            answers = await platform.dispatcher.call(hookspecs.demo_played, [(plugin, context)])
        figures += [Figure(plugin, line.title, line.figure) for line in answers.get(plugin, ())]
        await drain(platform, slug)
    async with platform.database.read(state.district) as connection:
        failures = {f"{one.plugin}.{one.hook}": one.error for one in await plugin_failures(connection)}
    return figures, failures


async def _sign_ins(platform: Platform, slug: str) -> list[SignIn]:
    """One person of each role, and guardians; their demonstration tokens are made anew at every run."""
    state = platform.state(slug)
    roles = sa.select(Membership.role, sa.func.min(sa.cast(Membership.person_id, sa.Text))).group_by(Membership.role)
    async with platform.database.work(state.district) as session:
        chosen = {role: UUID(person) for role, person in await session.execute(roles)}
        found = await session.execute(sa.select(sa.func.min(sa.cast(Guardianship.guardian_id, sa.Text))))
        if guardian := found.scalar_one_or_none():
            chosen["guardian"] = UUID(guardian)
        expires = datetime.now(UTC) + timedelta(days=30)
        sign_ins = []
        for role, person in sorted(chosen.items()):
            name = (await session.execute(sa.select(Person.name).where(Person.id == person))).scalar_one()
            token = await create_token(session, person=person, name="demo", scopes=["*"], expires_at=expires)
            sign_ins.append(SignIn(role, name, token))
    return sign_ins

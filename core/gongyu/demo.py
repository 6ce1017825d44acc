"""The demonstration: two districts with different plugins, filled through the real import, played through the real hooks.

It names no plugin: the first district uses every plugin that is there, the second the first half of them.
"""

import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gongyu import hookspecs
from gongyu.access.tokens import create_token
from gongyu.districts.file import DistrictFile, PluginEntry
from gongyu.districts.service import apply_file
from gongyu.events import outbox
from gongyu.events.worker import drain
from gongyu.people.models import Membership, Person
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["DEMO_DISTRICTS", "DemoDistrict", "play"]

DEMO_DISTRICTS: Final = {"ezhou": "鄂州市", "yangzhou": "扬州市"}
_ACTOR: Final = "operator:demo"
_SEED: Final = 20260901


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
    shares = (available, available[: (len(available) + 1) // 2])
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
        population = generate(_SEED, schools=2, pupils=960, name=DEMO_DISTRICTS[slug], slug=slug, today=date.today())
        write_oneroster(population, package)
        report = await import_roster(platform, slug, package, actor=_ACTOR)
    return [Figure("core", title, count) for title, count in report.counts]


async def _play_plugins(platform: Platform, slug: str) -> tuple[list[Figure], dict[str, str]]:
    """Each plugin in a transaction of its own, with what the ones before it have left."""
    state = platform.state(slug)
    figures: list[Figure] = []
    failures: dict[str, str] = {}
    for plugin in state.enabled:
        async with outbox.work(platform, state) as session:
            context = platform.context(plugin, state, session)
            try:
                answers = await platform.dispatcher.call(hookspecs.demo_played, [(plugin, context)])
            except HookRefusedError as error:  # where failures are raised: in tests
                raise error.cause from error
            lines = answers.get(plugin, ())
        figures += [Figure(plugin, line.title, line.figure) for line in lines]
        if plugin not in answers and _implements(platform, plugin):
            failures[plugin] = "demo_played failed; see gongyu doctor"
        await drain(platform, slug)
    return figures, failures

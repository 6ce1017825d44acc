"""The parts put together: one object per process, opened by the server, by each command and by each test."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import asyncpg
import sqlalchemy as sa
from pluggy import HookCaller
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import models as _access
from gongyu.access.keys import KeyRing
from gongyu.access.sealing import Seals
from gongyu.config import Config
from gongyu.database import embedded, migrations
from gongyu.database.data_folder import claim
from gongyu.database.engine import Database, DatabaseUnfitError
from gongyu.database.migrations import History
from gongyu.database.signals import Signals
from gongyu.districts.registry import DistrictState, Registry
from gongyu.events.models import PluginFailureRow
from gongyu.host import Dispatcher, Host, load_host
from gongyu.people import models as _people
from gongyu.plugin import Context, District, Relation
from gongyu.text import Text

__all__ = ["Platform", "UnknownDistrictError", "assemble", "histories", "open_platform", "opened"]

_ = (_access, _people)  # their tables stand on Base.metadata once imported

REGISTRY_SCHEMA: Final = "gongyu"
T = TypeVar("T")


class UnknownDistrictError(LookupError):
    """No such district here."""

    def __init__(self, slug: str, known: Sequence[str]) -> None:
        self.text = Text(
            zh="没有区县 `{slug}`；现有：{known}", en="there is no district `{slug}`; there are: {known}"
        ).format(slug=slug, known=", ".join(known) or "—")
        super().__init__(self.text.en)


def histories(host: Host, plugins: Sequence[str] | None = None) -> list[History]:
    """The core's migrations and those of the named plugins (None: of all available), in the order they must run."""
    found = [migrations.core_history()]
    for name, plugin in host.plugins.items():
        if (folder := plugin.migrations) is not None and (plugins is None or name in plugins):
            found.append(History(name, plugin.tables, folder))
    return found


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a part of the core may need, passed on instead of looked up."""

    config: Config
    database: Database
    host: Host
    registry: Registry
    signals: Signals
    dispatcher: Dispatcher
    keys: KeyRing
    server: embedded.Embedded | None = None
    _kept: dict[Callable[..., Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def kept(self, make: Callable[["Platform"], T]) -> T:
        """What a plugin keeps as long as this process lives (a queue, say), made when first asked for."""
        if make not in self._kept:
            self._kept[make] = make(self)
        found: T = self._kept[make]
        return found

    def state(self, slug: str) -> DistrictState:
        try:
            return self.registry.states[slug]
        except KeyError:
            raise UnknownDistrictError(slug, list(self.registry.states)) from None

    def context(self, plugin: str, state: DistrictState, session: AsyncSession, now: datetime | None = None) -> Context:
        """What a runtime hook, subscriber or job of a plugin gets in this unit of work."""
        now = now or datetime.now(UTC)
        offered = {
            capability.name: _bound(capability.provide, owner, state)
            for owner, capability in self.host.capabilities.values()
            if owner in state.enabled
        }
        return Context(
            state.district,
            session,
            state.settings.get(plugin),
            now,
            self.seals(state.district),
            offered,
            state.schools.get(plugin, {}),
        )

    def seals(self, district: District) -> Seals:
        """The district's keys, in the hands of whoever works in it."""
        return Seals(self.keys, district.slug)

    def relations(self, state: DistrictState) -> list[Relation]:
        """What the plugins that are on say binds people to students."""
        return [relation for plugin in state.enabled for relation in self.host.plugins[plugin].relations]

    def silent(self, hook: Callable[..., object], state: DistrictState, answers: Mapping[str, object]) -> list[str]:
        """The plugins that are on and implement a hook, but of which no answer came: they failed just now."""
        caller: HookCaller = getattr(self.host.manager.hook, hook.__name__)
        implementing = {implementation.plugin_name for implementation in caller.get_hookimpls()}
        return [plugin for plugin in state.enabled if plugin in implementing and plugin not in answers]

    def contexts(self, state: DistrictState, session: AsyncSession) -> Iterator[tuple[str, Context]]:
        """One context for each plugin that is on, in starting order: what the dispatcher walks through."""
        for name in state.enabled:
            yield name, self.context(name, state, session)


def _bound(provide: Callable[..., Awaitable[Any]], owner: str, state: DistrictState) -> Callable[..., Awaitable[Any]]:
    """A capability as another plugin calls it: in the caller's unit of work, with the provider's own settings."""

    async def call(context: Context, **arguments: object) -> object:
        return await provide(
            replace(context, settings=state.settings.get(owner), schools=state.schools.get(owner, {})), **arguments
        )

    return call


class _Failures:
    """Counts failures of hooks and jobs in the district, on a connection of its own: the caller's may roll back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, *, district: District, plugin: str, hook: str, error: str) -> None:
        row = insert(PluginFailureRow).values(plugin=plugin, hook=hook, error=error[:2000])
        counted = row.on_conflict_do_update(
            index_elements=["plugin", "hook"],
            set_={"count": PluginFailureRow.count + 1, "error": row.excluded.error, "last_at": sa.func.now()},
        )
        async with self._database.read(district) as connection:
            await connection.execute(counted)


def assemble(config: Config, *, host: Host | None = None, raise_hook_errors: bool = False) -> Platform:
    """Put the parts together, starting the embedded database if it is wanted; nothing is read yet.

    Args:
        config: Where the data is.
        host: The plugins, when already loaded; for tests and for commands that need few of them.
        raise_hook_errors: Let a failing hook fail the work instead of recording it (tests).

    Raises:
        DataFolderError, KeysError: With words for the operator.
        StartError: A plugin that nothing must be started with.
    """
    host = host or load_host(strict=config.strict)
    claim(config.data)
    keys = KeyRing.load(config)
    server = embedded.start(config.data) if config.database_url is None else None
    database = Database(server.url if server else config.database_url or "")
    dispatcher = Dispatcher(host.manager, None if raise_hook_errors else _Failures(database))
    return Platform(config, database, host, Registry(database, host, keys), Signals(database), dispatcher, keys, server)


@asynccontextmanager
async def opened(platform: Platform) -> AsyncGenerator[Platform]:
    """Bring the `gongyu` schema up to date, read the registry; close everything afterwards.

    Raises:
        DatabaseUnfitError: No answer, too old, or written by a newer Gongyu.
    """
    try:
        await _prepare(platform.database, platform.keys)
        await platform.registry.load()
        yield platform
    finally:
        await platform.database.close()
        if platform.server:
            await asyncio.to_thread(platform.server.close)


@asynccontextmanager
async def open_platform(
    config: Config, *, host: Host | None = None, raise_hook_errors: bool = False
) -> AsyncGenerator[Platform]:
    """`assemble` and `opened` in one."""
    async with opened(assemble(config, host=host, raise_hook_errors=raise_hook_errors)) as platform:
        yield platform


async def _prepare(database: Database, keys: KeyRing) -> None:
    try:
        await database.prepare()
        history = migrations.registry_history()
        async with database.owner.connect() as connection:
            have = await migrations.revisions_of(connection, [REGISTRY_SCHEMA])
        head = history.head
        at = have[REGISTRY_SCHEMA].get(history.name)
        if at == head:
            return
        if at is not None and at not in {revision.revision for revision in history.script().walk_revisions()}:
            raise DatabaseUnfitError(
                Text(
                    zh="这个数据库由更新版本的共育写成（{at}）；请升级程序",
                    en="this database was written by a newer Gongyu ({at}); upgrade the program",
                ).format(at=at)
            )
        await migrations.make_schema(database, REGISTRY_SCHEMA)
        await migrations.upgrade_schema(database, REGISTRY_SCHEMA, 0, [history], keys=keys)
    except (OSError, asyncpg.PostgresError, sa.exc.OperationalError) as error:
        raise DatabaseUnfitError(
            Text(zh="连接不上数据库：{error}", en="the database does not answer: {error}").format(error=error)
        ) from error

"""The one service that creates districts, switches plugins and changes settings; every way in ends here.

Order of an apply: migrations first (each its own transaction, harmless when what follows is refused), then one
transaction in the district with the switches, the plugins' own laying out, and the audit lines; then the signal that
makes every process see it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu import hookspecs
from gongyu.access import audit
from gongyu.access.rules import AccessRules
from gongyu.database import migrations
from gongyu.database.engine import quoted
from gongyu.database.model import IN_REGISTRY
from gongyu.districts.file import DistrictFile, PluginEntry, load
from gongyu.districts.models import DistrictRow, SwitchRow
from gongyu.districts.plan import Plan, make_plan
from gongyu.districts.registry import DistrictState, Switch
from gongyu.districts.sealing import seal_said
from gongyu.districts.settings import SettingError, as_toml
from gongyu.people.models import Org
from gongyu.people.rights.retention import retention_type
from gongyu.platform import Platform, histories
from gongyu.plugin import District
from gongyu.text import Text

__all__ = [
    "DistrictError",
    "SettingsError",
    "apply_file",
    "current_file",
    "drop_district",
    "find_district",
    "plan_file",
    "read_file",
    "switched",
]

log = structlog.get_logger("gongyu.districts")


_ONE_CHANGE: Final = sa.text("SELECT pg_advisory_xact_lock(7094, :number)")
_DROPPING: Final = Text(
    zh="区县 {slug} 正在删除；请先完成 gongyu district drop {slug}",
    en="district {slug} is being dropped; finish gongyu district drop {slug} first",
)


class DistrictError(Exception):
    """What was asked for cannot be done; nothing has changed."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class SettingsError(Exception):
    """A file, or settings, with all that is wrong in them."""

    def __init__(self, errors: Sequence[SettingError]) -> None:
        super().__init__("\n".join(error.render("en") for error in errors))
        self.errors = errors


def current_file(platform: Platform, slug: str) -> DistrictFile | None:
    """The district as the file that would make it, or None when there is none."""
    state = platform.registry.states.get(slug)
    if state is None:
        return None
    plugins: dict[str, PluginEntry] = {}
    schools: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, switch in sorted(state.switches.items()):
        plugin = platform.host.plugins.get(name)
        type_ = plugin.settings_type if plugin else None
        plugins[name] = PluginEntry(switch.enabled, as_toml(type_, switch.settings))
        for school, overrides in switch.schools.items():
            schools.setdefault(school, {})[name] = as_toml(type_, overrides)
    return DistrictFile(
        slug=slug,
        name=state.district.name,
        timezone=state.district.timezone,
        access=as_toml(AccessRules, state.access_said),
        retention=state.retention,
        plugins=plugins,
        schools=schools,
    )


def read_file(platform: Platform, text: str | bytes, *, file: str) -> DistrictFile:
    """Parse and validate a district's file against the plugins of this machine.

    Raises:
        SettingsError: Everything that is wrong, at once.
    """
    types = {name: plugin.settings_type for name, plugin in platform.host.plugins.items()}
    # A plugin whose package went missing stays as it was set: the file that was shown must apply again.
    missing = {slug: state.missing for slug, state in platform.registry.states.items()}
    read, _, errors = load(text, file=file, types=types, missing=missing, retention=retention_type(platform))
    if read is None:
        raise SettingsError([_with_refusal(platform, error) for error in errors])
    return read


def switched(current: DistrictFile, *, on: Iterable[str] = (), off: Iterable[str] = ()) -> DistrictFile:
    """The same district with plugins switched; settings are kept either way."""
    plugins = dict(current.plugins)
    for names, enabled in ((on, True), (off, False)):
        for name in names:
            plugins[name] = replace(plugins.get(name, PluginEntry()), enabled=enabled)
    return replace(current, plugins=plugins)


async def plan_file(platform: Platform, wanted: DistrictFile) -> Plan:
    """What applying the file would change; changes nothing.

    Raises:
        DistrictError: A plugin that must be on and cannot be, or needs another that would be off.
    """
    current = current_file(platform, wanted.slug)
    _check_plugins(platform, current, wanted)
    enabled = [name for name, entry in wanted.plugins.items() if entry.enabled]
    schema = f"d_{wanted.slug}"
    wanted_histories = histories(platform.host, enabled)
    async with platform.database.owner.connect() as connection:
        have = (await migrations.revisions_of(connection, [schema]))[schema]
    steps = [
        Text(zh="迁移 {name}：{old} → {new}", en="migrate {name}: {old} → {new}").format(
            name=history.name, old=have.get(history.name) or "∅", new=history.head
        )
        for history in migrations.pending(have, wanted_histories, migrations.heads(wanted_histories))
    ]
    types = {name: plugin.settings_type for name, plugin in platform.host.plugins.items()}
    return make_plan(current, wanted, types=types, retention=retention_type(platform), migrations=steps)


async def apply_file(platform: Platform, wanted: DistrictFile, *, actor: str, new: bool = False) -> Plan:
    """Make the district what the file says; create it if need be. Applying twice changes nothing.

    Args:
        platform: Whose district.
        wanted: The file, already validated.
        actor: Who does it, for the audit log.
        new: Refuse when the district is there already, also when somebody else makes it at this moment.

    Returns:
        What was changed.

    Raises:
        DistrictError: As for `plan_file`; nothing has changed.
        HookRefusedError: A plugin refused to be switched on; nothing has changed.
    """
    await platform.registry.load()
    _check_new(platform, wanted, new=new)
    plan = await plan_file(platform, wanted)
    if not plan:
        return plan
    district = await _stand(platform, wanted)
    enabled = [name for name, entry in wanted.plugins.items() if entry.enabled]
    async with platform.database.work(district) as session:
        # One change of a district at a time. Whoever waited here looks again at what there is to change.
        await session.execute(_ONE_CHANGE, {"number": district.number})
        await _check_not_dropping(session, district)
        await platform.registry.load()
        _check_new(platform, wanted, new=new)
        plan = await plan_file(platform, wanted)
        if not plan:
            return plan
        await migrations.upgrade_schema(
            platform.database,
            district.schema,
            district.number,
            histories(platform.host, enabled),
            keys=platform.keys,
        )
        before = platform.registry.states.get(district.slug)
        after = await _write(session, district, wanted, platform, actor)
        if before is None:
            await found_district(session)
        await _tell_plugins(platform, session, before, after, plan)
        for line in plan.lines:
            await audit.record(
                session, action="district.changed", actor=actor, subject=line.path, details={"change": line.text.en}
            )
    await platform.registry.load()
    await platform.signals.send("registry", district.slug)
    return plan


async def drop_district(platform: Platform, slug: str, *, actor: str) -> None:
    """Delete a district with everything in it. The caller has asked, shown what goes, and exported.

    A second run after a kill finishes it.

    Raises:
        UnknownDistrictError: There is nothing of that name, not even a half-made district.
    """
    district = await find_district(platform, slug)
    async with platform.database.work(district) as session:
        await session.execute(_ONE_CHANGE, {"number": district.number})
        dropping = sa.update(DistrictRow).where(DistrictRow.number == district.number).values(state="dropping")
        await session.execute(dropping, execution_options=IN_REGISTRY)
    await platform.signals.send("registry", slug)  # every process stops answering for it before it goes
    async with platform.database.owner.begin() as connection:
        await connection.execute(sa.text(f"DROP SCHEMA IF EXISTS {quoted(district.schema)} CASCADE"))
        gone = sa.delete(DistrictRow).where(DistrictRow.number == district.number)
        await connection.execute(gone, execution_options=IN_REGISTRY)
    log.info("district dropped", district=slug, actor=actor)
    await platform.registry.load()
    await platform.signals.send("registry", slug)


async def find_district(platform: Platform, slug: str) -> District:
    """Also one whose making or dropping was cut short, which no snapshot shows.

    Raises:
        UnknownDistrictError: Not even that.
    """
    found = sa.select(DistrictRow.number, DistrictRow.slug, DistrictRow.name, DistrictRow.timezone)
    async with platform.database.registry() as connection:
        row = (await connection.execute(found.where(DistrictRow.slug == slug))).first()
    return District(**row._mapping) if row else platform.state(slug).district  # noqa: SLF001 - SQLAlchemy's public name for it


async def _check_not_dropping(session: AsyncSession, district: District) -> None:
    """Judged under the lock: somebody may have begun to drop it while we waited."""
    state = sa.select(DistrictRow.state).where(DistrictRow.number == district.number)
    found = (await session.execute(state, execution_options=IN_REGISTRY)).scalar()
    if found in (None, "dropping"):
        raise DistrictError(_DROPPING.format(slug=district.slug))


def _check_new(platform: Platform, wanted: DistrictFile, *, new: bool) -> None:
    if new and wanted.slug in platform.registry.states:
        raise DistrictError(Text(zh="区县 {slug} 已存在", en="district {slug} exists already").format(slug=wanted.slug))


async def _stand(platform: Platform, wanted: DistrictFile) -> District:
    """The district's row and empty schema; a second run after a kill finds and keeps them."""
    if state := platform.registry.states.get(wanted.slug):
        return state.district
    row = insert(DistrictRow).values(slug=wanted.slug, name=wanted.name, timezone=wanted.timezone)
    async with platform.database.registry() as connection:
        await connection.execute(row.on_conflict_do_nothing(index_elements=["slug"]))
        found = sa.select(DistrictRow.number, DistrictRow.state).where(DistrictRow.slug == wanted.slug)
        number, state_name = (await connection.execute(found)).one()
    if state_name == "dropping":
        raise DistrictError(_DROPPING.format(slug=wanted.slug))
    district = District(number=number, slug=wanted.slug, name=wanted.name, timezone=wanted.timezone)
    await migrations.make_schema(platform.database, district.schema)
    return district


async def found_district(session: AsyncSession) -> None:
    """A new district has its root org, to which everything else hangs."""
    district: District = session.info["district"]
    await session.execute(sa.insert(Org).values(name=district.name, type="district", identifier=district.slug))


async def _write(
    session: AsyncSession, district: District, wanted: DistrictFile, platform: Platform, actor: str
) -> DistrictState:
    switches = [
        Switch(
            name,
            entry.enabled,
            msgspec.to_builtins(dict(entry.settings)),
            msgspec.to_builtins({key: dict(of[name]) for key, of in wanted.schools.items() if name in of}),
            plugin.version if (plugin := platform.host.plugins.get(name)) else "",
        )
        for name, entry in wanted.plugins.items()
    ]
    access = msgspec.to_builtins(dict(wanted.access))
    retention = {owner: dict(days) for owner, days in wanted.retention.items()}
    keys, number = platform.keys, district.number
    rows = [
        {
            "district": number,
            "plugin": one.plugin,
            "enabled": one.enabled,
            "settings": seal_said(keys, district.slug, SwitchRow.settings, number, one.plugin, said=one.settings),
            "schools": seal_said(keys, district.slug, SwitchRow.schools, number, one.plugin, said=one.schools),
            "version": one.version,
            "changed_by": actor,
        }
        for one in switches
    ]
    rules = seal_said(keys, district.slug, DistrictRow.access, number, said=access)
    for statement in (
        sa.update(DistrictRow)
        .where(DistrictRow.number == district.number)
        .values(name=wanted.name, timezone=wanted.timezone, access=rules, retention=retention, state="active"),
        sa.delete(SwitchRow).where(SwitchRow.district == district.number),
        *(sa.insert(SwitchRow).values(row) for row in rows),
    ):
        await session.execute(statement, execution_options=IN_REGISTRY)
    renamed = District(number=district.number, slug=district.slug, name=wanted.name, timezone=wanted.timezone)
    return platform.registry.state_of(renamed, switches, access, retention)


async def _tell_plugins(
    platform: Platform, session: AsyncSession, before: DistrictState | None, after: DistrictState, plan: Plan
) -> None:
    if before:
        leaving = [
            (name, platform.context(name, before, session)) for name in plan.turned_off if name in before.enabled
        ]
        await platform.dispatcher.call(hookspecs.plugin_disabled, leaving)
    coming = [(name, platform.context(name, after, session)) for name in after.enabled if name in plan.turned_on]
    await platform.dispatcher.call(hookspecs.plugin_enabled, coming)


def _check_plugins(platform: Platform, current: DistrictFile | None, wanted: DistrictFile) -> None:
    on = {name for name, entry in wanted.plugins.items() if entry.enabled}
    before = {name for name, entry in current.plugins.items() if entry.enabled} if current else set()
    for name in sorted(on):
        plugin = platform.host.plugins.get(name)
        if plugin is None:
            if name in before:  # on, but its package is missing: a state that is shown, not lost
                continue
            refusal = platform.host.refused.get(name)
            reason = refusal.reason if refusal else Text(zh="没有安装", en="it is not installed")
            raise DistrictError(
                Text(zh="不能启用插件 {name}：{reason}", en="plugin {name} cannot be switched on: {reason}").format(
                    name=name, reason=reason
                )
            )
        if missing := sorted(set(plugin.info.requires) - on):
            raise DistrictError(
                Text(
                    zh="插件 {name} 需要同时启用：{missing}", en="plugin {name} needs these switched on too: {missing}"
                ).format(name=name, missing=", ".join(missing))
            )


def _with_refusal(platform: Platform, error: SettingError) -> SettingError:
    """An unknown plugin that *is* installed but was refused: say why instead of guessing at spelling."""
    name = error.path.removeprefix("plugins.")
    refusal = platform.host.refused.get(name) if error.code == "unknown" else None
    if refusal is None:
        return error
    message = Text(zh="插件 `{name}` 不可用：{reason}", en="plugin `{name}` is not available: {reason}")
    return msgspec.structs.replace(error, message=message.format(name=name, reason=refusal.reason))

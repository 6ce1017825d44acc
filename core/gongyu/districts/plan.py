"""What a file would change: worked out before anything happens, and again under the lock when it is applied."""

from collections.abc import Mapping, Sequence

import msgspec

from gongyu.access.rules import AccessRules
from gongyu.districts.file import DistrictFile, PluginEntry
from gongyu.districts.settings import diff, shown
from gongyu.text import Text

__all__ = ["Plan", "PlanLine", "make_plan"]

_NOTHING = PluginEntry(enabled=False)


class PlanLine(msgspec.Struct, frozen=True):
    """One thing that will change. `sign`: `+` appears, `-` goes, `~` changes, `>` is run."""

    sign: str
    path: str
    text: Text


class Plan(msgspec.Struct, frozen=True):
    """All that will change in one district, in the order shown."""

    slug: str
    lines: Sequence[PlanLine]
    turned_on: Sequence[str] = ()
    turned_off: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.lines)


def make_plan(
    old: DistrictFile | None,
    new: DistrictFile,
    *,
    types: Mapping[str, type[msgspec.Struct] | None],
    retention: type[msgspec.Struct] | None = None,
    migrations: Sequence[Text] = (),
) -> Plan:
    """Compare what runs with what the file says.

    Args:
        old: The district as it is; None when it does not exist yet.
        new: The file, already validated.
        types: Settings types of the installed plugins; they know the defaults and what is secret.
        retention: The type of the table that says how long data is kept; it knows what holds where nothing is said.
        migrations: Steps that must be run first, described.
    """
    lines: list[PlanLine] = []
    if old is None:
        created = Text(zh="新建区县 {name}（{slug}）", en="create district {name} ({slug})").format(
            name=new.name, slug=new.slug
        )
        lines.append(PlanLine("+", "district", created))
        old = DistrictFile(slug=new.slug, name=new.name, timezone=new.timezone)
    lines += [
        PlanLine("~", f"district.{name}", _changed(before, after))
        for name in ("name", "timezone")
        if (before := getattr(old, name)) != (after := getattr(new, name))
    ]
    lines += _settings_lines(AccessRules, old.access, new.access, "access")
    lines += _settings_lines(retention, old.retention, new.retention, "retention")
    on, off = [], []
    for name in sorted(old.plugins.keys() | new.plugins.keys()):
        before_entry, after_entry = old.plugins.get(name, _NOTHING), new.plugins.get(name, _NOTHING)
        path = f"plugins.{name}"
        if after_entry.enabled and not before_entry.enabled:
            on.append(name)
            lines.append(PlanLine("+", path, Text(zh="关 → 开", en="off → on")))
        elif before_entry.enabled and not after_entry.enabled:
            off.append(name)
            lines.append(PlanLine("-", path, Text(zh="开 → 关（数据保留）", en="on → off (its data stays)")))
        elif (name in old.plugins) != (name in new.plugins):
            lines.append(PlanLine("~", path, _mentioned(now=name in new.plugins)))
        lines += _settings_lines(types.get(name), before_entry.settings, after_entry.settings, path)
    for school in sorted(old.schools.keys() | new.schools.keys()):
        before_school, after_school = old.schools.get(school, {}), new.schools.get(school, {})
        for name in sorted(before_school.keys() | after_school.keys()):
            path = f"schools.{school}.{name}"
            lines += [
                PlanLine("~", change.path, _changed(change.old, change.new))
                for change in diff(
                    types.get(name), before_school.get(name, {}), after_school.get(name, {}), path=path, filled=False
                )
            ]
    lines += [PlanLine(">", "migrations", step) for step in migrations]
    return Plan(new.slug, lines, on, off)


def _settings_lines(
    type_: type[msgspec.Struct] | None, old: Mapping[str, object], new: Mapping[str, object], path: str
) -> list[PlanLine]:
    effective = {change.path: change for change in diff(type_, old, new, path=path)}
    lines = [PlanLine("~", change.path, _changed(change.old, change.new)) for change in effective.values()]
    written = diff(type_, old, new, path=path, filled=False)  # said though it is the default, or no longer said
    return lines + [
        PlanLine("~", change.path, _mentioned(now=change.new is not None))
        for change in written
        if change.path not in effective
    ]


def _changed(old: object, new: object) -> Text:
    both = f"{shown(old) if old is not None else '∅'} → {shown(new) if new is not None else '∅'}"
    return Text(zh=both, en=both)


def _mentioned(*, now: bool) -> Text:
    if now:
        return Text(zh="写明（生效值不变）", en="written out (what is in force stays)")
    return Text(zh="不再写明（生效值不变）", en="no longer written out (what is in force stays)")

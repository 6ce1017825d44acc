"""What runs where, as every process sees it: a snapshot in memory, renewed within milliseconds of a change.

A request asks the snapshot and never the database, so a plugin that is installed but off costs a set lookup.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from gongyu.access.keys import KeyRing
from gongyu.access.rules import AccessRules
from gongyu.database.engine import Database
from gongyu.districts.models import DistrictRow, SwitchRow
from gongyu.districts.sealing import open_said
from gongyu.districts.settings import merge_school, read_settings
from gongyu.host import Host
from gongyu.plugin import District

__all__ = ["DistrictState", "Registry", "Switch"]

log = structlog.get_logger("gongyu.registry")


class Switch(msgspec.Struct, frozen=True):
    """A plugin in a district as the operator set it, whether or not its package is here."""

    plugin: str
    enabled: bool
    settings: Mapping[str, Any] = {}
    schools: Mapping[str, Mapping[str, Any]] = {}
    version: str = ""


@dataclass(frozen=True, slots=True)
class DistrictState:
    """A district now: `enabled` holds the plugins that are switched on *and* available, in starting order.

    `schools` are the settings of schools that have their own, by plugin and the school's identifier. `access` are its
    rules of signing in, `access_said` what its file says of them. `retention` is what its file says of how many days
    personal data is kept, by plugin and category.
    """

    district: District
    enabled: tuple[str, ...]
    switches: Mapping[str, Switch]
    settings: Mapping[str, Any]
    schools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    access: AccessRules = field(default_factory=AccessRules)
    access_said: Mapping[str, Any] = field(default_factory=dict)
    retention: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """On, but its package is not available on this machine."""
        return [name for name, switch in self.switches.items() if switch.enabled and name not in self.enabled]


class Registry:
    """The snapshot. `states` is replaced whole, never changed, so that a request sees one truth throughout."""

    def __init__(self, database: Database, host: Host, keys: KeyRing) -> None:
        self._database = database
        self._host = host
        self._keys = keys
        self.states: Mapping[str, DistrictState] = {}

    async def load(self) -> None:
        """Read it all, and open what is sealed.

        Raises:
            KeysError: Something does not open with the keys of this machine; the snapshot stays as it was.
        """
        districts = sa.select(DistrictRow.__table__).where(DistrictRow.state == "active").order_by(DistrictRow.slug)
        async with self._database.registry() as connection:
            rows = (await connection.execute(districts)).all()
            switches = (await connection.execute(sa.select(SwitchRow.__table__))).all()
        slugs = {row.number: row.slug for row in rows}
        by_district: dict[int, list[Switch]] = {}
        for row in switches:
            if (slug := slugs.get(row.district)) is not None:
                by_district.setdefault(row.district, []).append(self._switch(slug, row))
        self.states = {
            row.slug: self.state_of(
                District(number=row.number, slug=row.slug, name=row.name, timezone=row.timezone),
                by_district.get(row.number, ()),
                open_said(self._keys, row.slug, DistrictRow.access, row.number, sealed=row.access),
                row.retention,
            )
            for row in rows
        }

    def _switch(self, slug: str, row: sa.Row[Any]) -> Switch:
        key = (row.district, row.plugin)
        return Switch(
            row.plugin,
            row.enabled,
            open_said(self._keys, slug, SwitchRow.settings, *key, sealed=row.settings),
            open_said(self._keys, slug, SwitchRow.schools, *key, sealed=row.schools),
            row.version,
        )

    async def renew(self, _: str = "") -> None:
        """The listener's form of `load`."""
        await self.load()

    def state_of(
        self,
        district: District,
        rows: Iterable[Switch],
        access: Mapping[str, Any] | None = None,
        retention: Mapping[str, Mapping[str, int]] | None = None,
    ) -> DistrictState:
        """What these switches and rules amount to on this machine."""
        switches = {switch.plugin: switch for switch in rows}
        settings: dict[str, Any] = {}
        schools: dict[str, dict[str, Any]] = {}
        enabled: list[str] = []
        for name, plugin in self._host.plugins.items():
            switch = switches.get(name)
            if switch is None or not switch.enabled:
                continue
            if not set(plugin.info.requires) <= set(enabled):
                log.warning("plugin needs another that is off", plugin=name, district=district.slug)
                continue
            if plugin.settings_type is not None:
                value, errors = read_settings(plugin.settings_type, switch.settings, path=f"plugins.{name}")
                if value is None:  # a newer release tightened the type: say so, and keep the rest running
                    log.error(
                        "settings no longer fit", plugin=name, district=district.slug, errors=[e.path for e in errors]
                    )
                    continue
                settings[name] = value
                schools[name] = _of_schools(plugin.settings_type, value, switch, district)
            enabled.append(name)
        said = access or {}
        rules = _rules(district, said)
        return DistrictState(district, tuple(enabled), switches, settings, schools, rules, said, retention or {})


def _of_schools(
    type_: type[msgspec.Struct], base: msgspec.Struct, switch: Switch, district: District
) -> dict[str, Any]:
    """A school whose own values no longer fit goes by its district's, and it is said."""
    found: dict[str, Any] = {}
    for school, overrides in switch.schools.items():
        merged, errors = merge_school(type_, base, overrides, path=f"schools.{school}.{switch.plugin}")
        if merged is None:
            log.error(
                "settings no longer fit", plugin=switch.plugin, district=district.slug, errors=[e.path for e in errors]
            )
            continue
        found[school] = merged
    return found


def _rules(district: District, said: Mapping[str, Any]) -> AccessRules:
    """What a newer release no longer understands is left out and said; the other rules stay in force."""
    if not said:
        return AccessRules()
    rules, errors = read_settings(AccessRules, said, path="")
    if rules is not None:
        return rules
    wrong = {error.path.partition(".")[0].partition("[")[0] for error in errors}
    log.error("rules of access no longer fit", district=district.slug, errors=sorted(wrong))
    rules, _ = read_settings(AccessRules, {name: part for name, part in said.items() if name not in wrong}, path="")
    return rules or AccessRules()

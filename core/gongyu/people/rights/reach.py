"""Which plugins hold data in a district, whether they are on or not: a promise about all data must know them."""

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.districts.registry import DistrictState
from gongyu.districts.settings import read_settings
from gongyu.platform import Platform
from gongyu.plugin import District

__all__ = ["as_if_on", "plugins_holding_data", "plugins_within_reach", "plugins_without_package"]


async def plugins_within_reach(platform: Platform, state: DistrictState, session: AsyncSession) -> list[str]:
    """Those whose promises about data can be kept now, in starting order: on, or off with their tables still here."""
    holding = {*state.enabled, *await plugins_holding_data(session)}
    return [name for name in platform.host.plugins if name in holding]


async def plugins_without_package(platform: Platform, connection: AsyncConnection, district: District) -> list[str]:
    """Those whose data stands here while their package does not: nothing of it can end."""
    return [name for name in await _laid_out(connection, district) if name not in platform.host.plugins]


def as_if_on(platform: Platform, state: DistrictState, plugin: str) -> DistrictState:
    """The district as a plugin that is off would find it if it were on: with the settings it was switched off with."""
    type_, switch = platform.host.plugins[plugin].settings_type, state.switches.get(plugin)
    if plugin in state.enabled or type_ is None:
        return state
    value, _ = read_settings(type_, switch.settings if switch else {}, path="")
    return replace(state, settings={**state.settings, plugin: value})


async def plugins_holding_data(session: AsyncSession) -> list[str]:
    """By name. A plugin's version table stands as long as its tables do: switching it off keeps both, erasing it
    takes both.
    """
    return await _laid_out(session, session.info["district"])


async def _laid_out(connection: AsyncConnection | AsyncSession, district: District) -> list[str]:
    found = sa.text(
        "SELECT tablename FROM pg_catalog.pg_tables "
        "WHERE schemaname = :schema AND tablename LIKE 'alembic\\_%' ORDER BY tablename"
    )
    tables = await connection.execute(found, {"schema": district.schema})
    return [name for table in tables.scalars() if (name := table.removeprefix("alembic_")) != "core"]

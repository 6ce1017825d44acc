"""Which plugins hold data in a district, whether they are on or not: a promise about all data must know them."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["plugins_holding_data"]


async def plugins_holding_data(session: AsyncSession) -> list[str]:
    """By name. A plugin's version table stands as long as its tables do: switching it off keeps both, erasing it
    takes both.
    """
    found = sa.text(
        "SELECT tablename FROM pg_catalog.pg_tables "
        "WHERE schemaname = :schema AND tablename LIKE 'alembic\\_%' ORDER BY tablename"
    )
    tables = await session.execute(found, {"schema": session.info["district"].schema})
    return [name for table in tables.scalars() if (name := table.removeprefix("alembic_")) != "core"]

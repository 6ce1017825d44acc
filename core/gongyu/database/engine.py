"""The engine, and the two ways to a district: a session for a unit of work, a connection for reading.

Reading runs in autocommit: BEGIN and COMMIT around one SELECT are two round trips, which halved the throughput of a
list endpoint here. Nothing that reads needs them.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from gongyu.database.model import IN_REGISTRY
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["APP_ROLE", "MINIMUM_POSTGRES", "Database", "DatabaseUnfitError", "quoted"]

#: The role that requests, jobs and events run as. It owns nothing: what may not be changed (the audit log, the points
#: entries) is not granted to it, so that not even a slip in our own SQL can.
APP_ROLE: Final = "gongyu_app"
MINIMUM_POSTGRES: Final = 15

# Accepted by every PostgreSQL as placeholders; on Citus they carry SET LOCAL to the node and allow triggers (R2, R3).
_CITUS: Final = {"citus.propagate_set_commands": "local", "citus.enable_unsafe_triggers": "on"}


class DatabaseUnfitError(Exception):
    """The database cannot be worked with; the text says what to do."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


class Database:
    """One PostgreSQL, whoever runs it. `app` works with the application's role; `owner` defines tables.

    Args:
        url: SQLAlchemy URL with the asyncpg driver.
        connections: Upper bound of the application pool.
        statements: Prepared statements kept per connection: districts times hot statements, since a schema for each
            district multiplies them (asyncpg's default of 100 cost 3.4 times the time at 200 statements here).
    """

    def __init__(self, url: str, *, connections: int = 20, statements: int = 2000) -> None:
        self.url = url
        self.app: AsyncEngine = create_async_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=10,
            pool_use_lifo=True,
            hide_parameters=True,  # an error's text may reach a log, and the values are people's
            connect_args={
                "prepared_statement_cache_size": statements,
                "server_settings": {**_CITUS, "role": APP_ROLE, "application_name": "gongyu"},
            },
        )
        self.reader = self.app.execution_options(isolation_level="AUTOCOMMIT")
        self._readers: dict[str, AsyncEngine] = {}
        self.owner: AsyncEngine = create_async_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={"server_settings": {**_CITUS, "application_name": "gongyu owner"}},
        )
        #: Alembic's `op` is one per process, so migrations in one process take turns.
        self.migrating = asyncio.Lock()

    @asynccontextmanager
    async def work(self, district: District) -> AsyncGenerator[AsyncSession]:
        """A unit of work in a district: committed when the block ends well, rolled back when it does not."""
        async with self.session(district) as session, session.begin():
            yield session

    def session(self, district: District) -> AsyncSession:
        """A session in a district, without a transaction yet; the caller begins, commits and closes."""
        bind = self.app.execution_options(schema_translate_map={None: district.schema})
        return AsyncSession(bind=bind, expire_on_commit=False, info={"district": district})

    @asynccontextmanager
    async def work_as_owner(self, district: District) -> AsyncGenerator[AsyncSession]:
        """A unit of work as the owner of the tables, for the few things no request may do: to end what the law ends in
        a table the application can only add to, and to seal it anew.
        """
        bind = self.owner.execution_options(schema_translate_map={None: district.schema})
        async with AsyncSession(bind=bind, info={"district": district}) as session, session.begin():
            yield session

    def reader_in(self, district: District) -> AsyncEngine:
        """The reader of one district, kept: to tell each connection its schema costs a quarter of getting it."""
        if district.schema not in self._readers:
            self._readers[district.schema] = self.reader.execution_options(schema_translate_map={None: district.schema})
        return self._readers[district.schema]

    @asynccontextmanager
    async def read(self, district: District) -> AsyncGenerator[AsyncConnection]:
        """A connection for reading in a district, without a transaction."""
        async with self.reader_in(district).connect() as connection:
            yield connection

    @asynccontextmanager
    async def registry(self) -> AsyncGenerator[AsyncConnection]:
        """A connection for reading the `gongyu` schema, without a transaction."""
        async with self.reader.connect() as connection:
            yield await connection.execution_options(**IN_REGISTRY)

    async def prepare(self) -> None:
        """Make sure of the server's version and of the application's role; safe to run from many processes at once.

        Raises:
            DatabaseUnfitError: An old server, or no right to make the role.
        """
        async with self.owner.begin() as connection:
            version = (await connection.execute(sa.text("SHOW server_version_num"))).scalar_one()
            if int(version) // 10000 < MINIMUM_POSTGRES:
                raise DatabaseUnfitError(
                    Text(
                        zh="数据库是 PostgreSQL {have}，需要 {need} 或更新版本",
                        en="the database is PostgreSQL {have}; {need} or newer is needed",
                    ).format(have=int(version) // 10000, need=MINIMUM_POSTGRES)
                )
            member = sa.text("SELECT pg_has_role(rolname, 'MEMBER') FROM pg_roles WHERE rolname = :role")
            if (await connection.execute(member, {"role": APP_ROLE})).scalar():
                return
            await connection.execute(sa.text("SELECT pg_advisory_xact_lock(7091, 0)"))
            try:
                if (await connection.execute(member, {"role": APP_ROLE})).first() is None:
                    await connection.execute(sa.text(f"CREATE ROLE {APP_ROLE} NOLOGIN"))
                await connection.execute(sa.text(f"GRANT {APP_ROLE} TO CURRENT_USER"))
            except sa.exc.ProgrammingError as error:
                raise DatabaseUnfitError(
                    Text(
                        zh="无权创建应用角色；请数据库管理员执行："
                        "CREATE ROLE {role} NOLOGIN; GRANT {role} TO <本用户>;",
                        en="no right to make the application's role; ask the database's administrator to run: "
                        "CREATE ROLE {role} NOLOGIN; GRANT {role} TO <this user>;",
                    ).format(role=APP_ROLE)
                ) from error

    async def close(self) -> None:
        await self.app.dispose()
        await self.owner.dispose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

"""Migrations make exactly the models, can be taken back, and reach every district whatever happens on the way."""

import asyncio
import contextlib
import re
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from gongyu.config import Config
from gongyu.database import migrations
from gongyu.database.migrations import History
from gongyu.districts.file import DistrictFile
from gongyu.districts.service import apply_file, switched
from gongyu.host import Host
from gongyu.platform import Platform, histories, open_platform
from gongyu.testing.catalogue import catalogue

from ..command import Command  # noqa: TID252 - test folders are no packages and have no absolute names
from ..host.shelf import Shelf  # noqa: TID252 - test folders are no packages and have no absolute names

SLUGS = ("aa", "bb", "cc", "dd", "ee", "ff")


def every_history(host: Host) -> list[tuple[History, list[History]]]:
    """Each history with those that must stand before it."""
    core, *plugins = histories(host)
    return [(migrations.registry_history(), []), (core, []), *((plugin, [core]) for plugin in plugins)]


async def test_migrations_make_exactly_the_models(platform: Platform) -> None:
    found = {
        history.name: await migrations.differences(platform.database, history, others)
        for history, others in every_history(platform.host)
    }
    assert found == {name: [] for name in found}
    assert {"core", "registry", "bulletin", "kindness"} <= set(found)


async def test_up_and_down_and_up_again_leaves_the_same_tables(platform: Platform) -> None:
    database = platform.database
    for number, (history, others) in enumerate(every_history(platform.host)):
        schema = f"d_scratch{number}"
        await migrations.make_schema(database, schema)
        await migrations.upgrade_schema(database, schema, -2, others)
        empty = await catalogue(database, schema)
        await migrations.upgrade_schema(database, schema, -2, [history])
        full = await catalogue(database, schema)
        assert {name for name, *_ in full} >= set(history.metadata.tables)
        down = await migrations.upgrade_schema(database, schema, -2, [history], target="base")
        assert down == [f"{history.name}: {history.head} → ∅"]
        left = {row for row in await catalogue(database, schema) if history.version_table not in row[0]}
        assert left == empty
        await migrations.upgrade_schema(database, schema, -2, [history])
        assert await catalogue(database, schema) == full


#: A plugin whose second revision can be made to wait, and leaves a mark each time it is run.
PAGE = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from gongyu.database.model import ModelBase, plugin_metadata

class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()

class Mark(Base):
    __tablename__ = "steps_mark"
    number: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)

@hookimpl
def tables():
    return Base.metadata
"""
FIRST = """\
import sqlalchemy as sa
from alembic import op

revision = "steps_0001"
down_revision = None


def upgrade():
    op.create_table(
        "steps_mark",
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_steps_mark")),
    )


def downgrade():
    op.drop_table("steps_mark")
"""
SECOND = """\
import os
import time
from pathlib import Path

from alembic import op

revision = "steps_0002"
down_revision = "steps_0001"


def upgrade():
    op.execute("CREATE TABLE steps_more (number bigint PRIMARY KEY)")
    op.execute("INSERT INTO steps_mark DEFAULT VALUES")
    if stopped := os.environ.get("STOPPED"):
        Path(stopped).touch()
        time.sleep(60)


def downgrade():
    op.drop_table("steps_more")
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "shelf")
    versions = shelf.install("steps", PAGE) / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "steps_0001.py").write_text(FIRST, "utf-8")
    return shelf


@pytest.fixture
def gongyu(database_url: str, tmp_path: Path, shelf: Shelf) -> Command:
    return Command(database_url, tmp_path, shelf.folder)


@pytest.fixture
async def behind(shelf: Shelf, database_url: str, tmp_path: Path) -> AsyncGenerator[Platform]:
    """Six districts at the plugin's first revision, while the second lies ready."""
    with contextlib.contextmanager(shelf.on_path)():
        config = Config(database_url=database_url, data=tmp_path / "var")
        async with open_platform(config, host=shelf.load()) as opened:
            for slug in SLUGS:
                file = switched(DistrictFile(slug, slug), on=["steps"])
                await apply_file(opened, file, actor="operator:test")
            (shelf.folder / "trial_steps" / "migrations" / "versions" / "steps_0002.py").write_text(SECOND, "utf-8")
            yield opened


async def marks(platform: Platform) -> dict[str, tuple[str, int]]:
    """Where each district is, and how often the second revision was run there."""
    found = {}
    async with platform.database.owner.connect() as connection:
        for slug in SLUGS:
            at = await connection.execute(sa.text(f"SELECT version_num FROM d_{slug}.alembic_steps"))  # noqa: S608 - ours
            count = await connection.execute(sa.text(f"SELECT count(*) FROM d_{slug}.steps_mark"))  # noqa: S608 - ours
            found[slug] = (at.scalar_one(), count.scalar_one())
    return found


DONE = ("steps_0002", 1)


async def test_one_failing_district_is_reported_and_the_others_are_done(behind: Platform, gongyu: Command) -> None:
    async with behind.database.owner.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE d_cc.steps_more (by_hand bigint)"))
    ran = await gongyu("db", "upgrade")
    assert ran.code == 1
    # Whoever reads this must be able to tell what stands in the way there.
    assert re.fullmatch(
        r'cc: .*relation "steps_more" already exists\n1 districts failed; the rest are done; run it again\n', ran.err
    )
    steps = sorted(line for line in ran.out.splitlines() if "→" in line)
    assert steps == [f"{slug}  steps: steps_0001 → steps_0002" for slug in SLUGS if slug != "cc"]
    assert await marks(behind) == dict.fromkeys(SLUGS, DONE) | {"cc": ("steps_0001", 0)}
    status = [line.split() for line in (await gongyu.well("db", "status")).splitlines() if " steps " in line]
    assert status[2] == ["cc", "steps", "steps_0001", "steps_0002", "to", "be", "upgraded"]
    assert status[3] == ["dd", "steps", "steps_0002", "steps_0002", "up", "to", "date"]
    async with behind.database.owner.begin() as connection:
        await connection.execute(sa.text("DROP TABLE d_cc.steps_more"))
    assert "cc  steps: steps_0001 → steps_0002" in await gongyu.well("db", "upgrade")
    assert await gongyu.well("db", "upgrade") == "every district is up to date\n"
    assert await marks(behind) == dict.fromkeys(SLUGS, DONE)


async def test_two_runners_at_once_do_each_district_once(behind: Platform, gongyu: Command) -> None:
    ran = await asyncio.gather(gongyu("db", "upgrade"), gongyu("db", "upgrade"))
    assert [(one.code, one.err) for one in ran] == [(0, ""), (0, "")]
    assert await marks(behind) == dict.fromkeys(SLUGS, DONE)


async def test_killed_upgrade_leaves_no_process_behind_and_is_resumed(behind: Platform, gongyu: Command) -> None:
    stopped = gongyu.folder / "stopped"
    process = await gongyu.start("db", "upgrade", "--workers", "2", STOPPED=str(stopped))
    for _ in range(400):
        if stopped.exists() or process.returncode is not None:
            break
        await asyncio.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    _, alive = await asyncio.to_thread(psutil.wait_procs, family, timeout=5)
    assert alive == []
    assert await marks(behind) == dict.fromkeys(SLUGS, ("steps_0001", 0))
    await gongyu.well("db", "upgrade")
    assert await marks(behind) == dict.fromkeys(SLUGS, DONE)


WRITTEN = '''\
"""a note, and others"""

import sqlalchemy as sa
from alembic import op

revision = 'steps_0002'
down_revision = 'steps_0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('steps_other',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('org', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['org'], ['steps_mark.number'], name=op.f('fk_steps_other_org'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_steps_other'))
    )
    op.create_index(op.f('ix_steps_other_org'), 'steps_other', ['org'], unique=False)
    op.add_column('steps_mark', sa.Column('note', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('steps_mark', 'note')
    op.drop_index(op.f('ix_steps_other_org'), table_name='steps_other')
    op.drop_table('steps_other')
'''


async def test_revision_is_written_from_the_models_and_only_when_they_differ(gongyu: Command, shelf: Shelf) -> None:
    nothing = "models and migrations agree; there is nothing to write\n"
    assert await gongyu.well("db", "revision", "steps", "-m", "nothing") == nothing
    assert await gongyu.well("db", "revision", "core", "-m", "nothing") == nothing
    unknown = await gongyu("db", "revision", "stepz", "-m", "x")
    assert (unknown.code, unknown.err.startswith("there is no stepz; choose from: registry, core, ")) == (2, True)
    changed = PAGE.replace(
        "@hookimpl",
        "    note: Mapped[str | None]\n\n"
        "class Other(Base):\n"
        '    __tablename__ = "steps_other"\n'
        "    id: Mapped[int] = mapped_column(primary_key=True)\n"
        '    org: Mapped[int] = mapped_column(sa.ForeignKey("steps_mark.number", ondelete="CASCADE"), index=True)\n\n'
        "@hookimpl",
    )
    shelf.install("steps", changed)
    written = await gongyu.well("db", "revision", "steps", "-m", "a note, and others")
    versions = Path("shelf/trial_steps/migrations/versions")
    assert written == f"{versions}/steps_0002_a_note_and_others.py\n"
    assert (gongyu.folder / written.strip()).read_text("utf-8") == WRITTEN
    assert await gongyu.well("db", "revision", "steps", "-m", "nothing") == nothing

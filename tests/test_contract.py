"""The contract keeps its own promises, and every installed plugin passes the suite that strangers' plugins get."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gongyu.host import Host
from gongyu.testing.contract import hooks, page, undocumented, untested, unused

ROOT = Path(__file__).parents[1]


def test_every_hook_is_documented() -> None:
    assert undocumented() == []


def test_every_hook_has_a_real_user(host: Host) -> None:
    assert unused(host) == []


def test_every_hook_is_tested() -> None:
    assert untested([ROOT / "core" / "tests", ROOT / "tests", *ROOT.glob("plugins/*/tests")]) == []


def test_reference_page_says_what_the_contract_says() -> None:
    """Else: `python -m gongyu.testing.contract --write docs/reference/hooks.md`."""
    assert (ROOT / "docs" / "reference" / "hooks.md").read_text("utf-8") == page()
    assert all(f"## `{hook.name}`\n" in page() for hook in hooks())


def conformance(folder: Path, *options: str, path: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
    """As a plugin's author runs it, in a folder without any configuration of ours."""
    command = [sys.executable, "-m", "pytest", "--pyargs", "gongyu.testing.conformance", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(  # noqa: S603 - our own suite
        [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_every_installed_plugin_conforms(tmp_path: Path, host: Host) -> None:
    ran = conformance(tmp_path)
    assert ran.returncode == 0, ran.stdout
    assert len(host.plugins) >= 2


#: A plugin that loads, and has something against every check.
SPOILED = """
from collections.abc import Sequence
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import get
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import gongyu_kindness
from gongyu.database.model import ModelBase, plugin_metadata
from gongyu.people.models import Person
from gongyu.plugin import Event, Job, Permission, PluginInfo, Public, SignedIn, Text, hookimpl

INFO = PluginInfo(name="spoiled", title=Text(zh="坏", en="坏"), contract=">=1.0")


class Base(ModelBase, DeclarativeBase):
    metadata = plugin_metadata()


class Mark(Base):
    __tablename__ = "spoiled_mark"
    number: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    whose: Mapped[UUID | None] = mapped_column(sa.ForeignKey(Person.id, ondelete="CASCADE"))


class Settings(msgspec.Struct):
    most: Annotated[int, msgspec.Meta(ge=10)] = 1


class Said(Event, frozen=True):
    type: ClassVar[str] = "spoiled.said.v1"
    title: ClassVar[Text] = Text(zh="说", en="said")
    what: str


@get("/breaks", permission=Public(" "))
async def breaks() -> None:
    raise LookupError


@hookimpl
def tables():
    return Base.metadata


@hookimpl
def settings_type():
    return Settings


@hookimpl
def event_types():
    return [Said]


@hookimpl
def permissions():
    return [Permission("spoiled.read", Text(zh="读", en="read"))]


@hookimpl
def routes():
    return [breaks]


async def reach_out(context):
    there = sa.text("INSERT INTO d_there.org (id, name, type) VALUES (gen_random_uuid(), 'x', 'x')")
    await context.session.execute(there)


@hookimpl
def jobs():
    return [Job("reach", Text(zh="伸手", en="Reach out"), reach_out, every="daily")]


@hookimpl
async def plugin_enabled(context):
    context.session.add(Mark())
    await context.session.flush()
"""
SPOILED_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "spoiled_0001"
down_revision = None


def upgrade():
    op.create_table(
        "spoiled_mark",
        sa.Column("number", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("whose", sa.Uuid()),
    )
    op.execute("ALTER TABLE spoiled_mark ADD COLUMN more int UNIQUE DEFERRABLE")


def downgrade():
    pass
"""


def test_suite_finds_what_is_wrong_with_a_plugin(tmp_path: Path) -> None:
    shelf, package = tmp_path / "shelf", tmp_path / "shelf" / "gongyu_spoiled"
    (package / "migrations" / "versions").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(SPOILED, "utf-8")
    (package / "migrations" / "versions" / "spoiled_0001.py").write_text(SPOILED_REVISION, "utf-8")
    about = shelf / "gongyu_spoiled-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gongyu-spoiled\nVersion: 1\nRequires-Dist: gongyu\n")
    (about / "entry_points.txt").write_text("[gongyu.plugins]\nspoiled = gongyu_spoiled.plugin\n")
    ran = conformance(tmp_path, "--gongyu-plugin", "spoiled", "-rA", path=[shelf])
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert re.findall(r"^(?:PASSED|ERROR) .*", ran.stdout, re.MULTILINE) == []
    absent = conformance(tmp_path, "--gongyu-plugin", "absent", "-k", "language")
    assert "plugin absent is not installed; there are: " in absent.stdout

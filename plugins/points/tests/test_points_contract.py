"""What the platform asks of every plugin."""

from pathlib import Path

import gongyu_points
from gongyu.database.migrations import History, core_history, differences
from gongyu.database.model import Base as CoreBase
from gongyu.host import Host
from gongyu.platform import Platform
from gongyu.testing.guard import check_metadata, check_source


def test_tables_and_sources_keep_the_rules_that_let_districts_spread(host: Host) -> None:
    tables = host.plugins["points"].tables
    assert check_metadata(tables, prefix="points_", core_tables=frozenset(CoreBase.metadata.tables)) == []
    assert check_source(Path(gongyu_points.__file__).parent) == []


async def test_migrations_make_exactly_the_models(platform: Platform, host: Host) -> None:
    plugin = host.plugins["points"]
    assert plugin.migrations is not None
    history = History("points", plugin.tables, plugin.migrations)
    assert await differences(platform.database, history, [core_history()]) == []

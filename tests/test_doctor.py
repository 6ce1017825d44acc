"""`gongyu doctor`: nothing to say on a good day; on a bad one every finding says what to do."""

import sqlalchemy as sa

from gongyu.platform import Platform
from gongyu.testing.deployment import Deployment

_TROUBLE = (
    # A plugin that is on and whose package is not here; one whose hook failed; an event that was parked; and a plugin
    # whose version is unknown.
    """INSERT INTO gongyu.plugin_switch (district, plugin, enabled)
       SELECT number, 'ghost', true FROM gongyu.district""",
    """INSERT INTO d_ezhou.plugin_failure (plugin, hook, error) VALUES ('bulletin', 'demo_played', 'KeyError')""",
    """INSERT INTO d_ezhou.delivery (event_id, subscriber, seq, subject, state, error)
       SELECT id, 'kindness', seq, subject, 'parked', 'ValueError' FROM d_ezhou.event LIMIT 1""",
    """DELETE FROM d_ezhou.alembic_bulletin""",
)


def test_doctor_finds_nothing_on_a_good_day_and_says_what_to_do_on_a_bad_one(deployment: Deployment) -> None:
    deployment.apply("ezhou", "[plugins.bulletin]")
    well = deployment.gongyu("doctor")
    assert all(line.startswith("✓") for line in well.stdout.splitlines())

    async def trouble(platform: Platform) -> None:
        async with platform.database.owner.begin() as connection:
            for statement in _TROUBLE:
                await connection.execute(sa.text(statement))

    deployment.on_platform(trouble)
    ill = deployment.gongyu("doctor", check=False)
    assert ill.returncode == 1
    said = ill.stdout
    for finding, cure in (
        ("✗ migrations: ezhou", "run gongyu db upgrade"),
        ("✗ ezhou ghost: on, but not available", "install it, or run gongyu district disable ezhou ghost"),
        ("! ezhou bulletin: demo_played failed 1 times, last: KeyError", "give the log to the plugin's author"),
        ("✗ ezhou events → kindness: 0 pending, 0 failing, 1 parked", "see gongyu events list ezhou"),
    ):
        assert f"{finding}\n    → {cure}" in said

"""`gongyu bulletin …`"""

import click
import sqlalchemy as sa

from gongyu.cli.frame import run
from gongyu.platform import Platform
from gongyu_bulletin.models import Notice


@click.command()
@click.argument("district")
def count(district: str) -> None:
    """公告数 · How many notices a district has."""

    async def work(platform: Platform) -> None:
        async with platform.database.read(platform.state(district).district) as connection:
            click.echo((await connection.execute(sa.select(sa.func.count(Notice.id)))).scalar_one())

    run(work)

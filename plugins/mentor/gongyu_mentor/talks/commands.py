"""`gongyu mentor board`: the children a school has not reached, on the terminal."""

from datetime import UTC, datetime

import click
import sqlalchemy as sa

from gongyu.cli.frame import WRONG_INPUT, fail, run, say, table
from gongyu.people.models import Org
from gongyu.people.rights.periods import today_in
from gongyu.platform import Platform
from gongyu.plugin import Text
from gongyu.text import language_of_environment
from gongyu_mentor.talks.board import board

__all__ = ["COMMANDS"]


@click.command("board", help="列出还没有谈到的学生 · list the children who were not reached")
@click.argument("district")
@click.argument("school")
def show_board(district: str, school: str) -> None:
    """SCHOOL is its id, its identifier or its name."""

    async def whole(platform: Platform) -> None:
        here = platform.state(district).district
        async with platform.database.read(here) as connection:
            named = sa.or_(sa.cast(Org.id, sa.Text) == school, Org.identifier == school, Org.name == school)
            orgs = (await connection.execute(sa.select(Org.id, Org.name).where(named, Org.ended_on.is_(None)))).all()
            if len(orgs) != 1:
                fail(
                    Text(
                        zh="找到 {n} 所“{school}”；请用学校的编号", en="{n} schools are called “{school}”; give the id"
                    ).format(n=len(orgs), school=school),
                    WRONG_INPUT,
                )
            today = today_in(here, datetime.now(UTC))
            found = await board(connection, district=here, school=orgs[0].id, today=today)
        titles = {one.rule: one.title for one in found.rules}
        heads = [Text(zh="班级", en="class"), Text(zh="学生", en="pupil"), Text(zh="导师", en="mentor")]
        heads += [Text(zh="还应", en="owed"), Text(zh="截止", en="due")]
        nobody = Text(zh="还没有", en="nobody yet").pick(language_of_environment())
        rows = [
            (child.class_title or "", child.name, child.mentor_name or nobody, titles[owed.rule], owed.due)
            for child in sorted(found.items, key=lambda one: (one.class_title or "", one.name, one.student))
            for owed in child.owed
        ]
        table(heads, rows)
        for one in found.rules:
            line = Text(zh="{title}：{reached}/{of}", en="{title}: {reached} of {of}")
            say(line.format(title=one.title, reached=one.reached, of=one.of))

    run(whole)


COMMANDS = [show_board]

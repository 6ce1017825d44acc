"""`gongyu mentor rounds|run|publish|run-all|publish-all|paper-out|paper-in`: rounds from the terminal."""

import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import click
import sqlalchemy as sa

from gongyu.cli.frame import WRONG_INPUT, fail, run, say, table
from gongyu.events.outbox import work
from gongyu.people.models import Org
from gongyu.people.rights.periods import today_in
from gongyu.platform import Platform
from gongyu.plugin import Context, Text
from gongyu.text import language_of_environment
from gongyu.web import ProblemError
from gongyu_mentor import paper, preferences, publishing, rounds, runs
from gongyu_mentor.district_rounds import Done, publish_tried, try_closed
from gongyu_mentor.models import Round

__all__ = ["COMMANDS"]


def _refused(error: ProblemError) -> NoReturn:
    """The same words as over HTTP, every wrong place on a line of its own."""
    language = language_of_environment()
    for place, text in error.errors:
        click.echo(f"{place}: {text.pick(language)}", err=True)
    fail(error.detail or Text(zh="没有改变任何内容", en=f"{error.kind}; nothing was changed"), WRONG_INPUT)


@asynccontextmanager
async def _work(platform: Platform, district: str) -> AsyncGenerator[Context]:
    """One unit of work, in whose name nobody signs."""
    state = platform.state(district)
    try:
        async with work(platform, state) as session:
            yield platform.context("mentor", state, session)
    except ProblemError as error:
        _refused(error)


@click.command("rounds", help="列出轮次 · list the rounds of a district")
@click.argument("district")
def list_rounds(district: str) -> None:
    async def whole(platform: Platform) -> None:
        columns = [column for column in Round.__table__.columns if column.name not in {"salt", "seed_sealed", "seed"}]
        found = (
            sa.select(*columns, rounds.APPEALED, Org.name.label("school"))
            .join(Org, Org.id == Round.school_id)
            .order_by(Round.id)
        )
        async with platform.database.read(platform.state(district).district) as connection:
            rows = list(await connection.execute(found))
        now = datetime.now(UTC)
        heads = [Text(zh="轮次", en="round"), Text(zh="学校", en="school"), Text(zh="名称", en="title")]
        heads += [Text(zh="阶段", en="stage"), Text(zh="试算次数", en="runs")]
        table(heads, [(row.id, row.school, row.title, rounds.stage(row, now), row.runs) for row in rows])

    run(whole)


@click.command("run", help="试算一次 · run the match once, to look at")
@click.argument("district")
@click.argument("round_id", metavar="ROUND", type=click.UUID)
def try_out(district: str, round_id: UUID) -> None:
    async def whole(platform: Platform) -> None:
        async with _work(platform, district) as context:
            made = await runs.try_out(context, round_id, orgs=None, by=None)
        figures = made.figures
        lines = [
            (Text(zh="试算", en="run"), made.id),
            (Text(zh="学生", en="pupils"), figures.students),
            (Text(zh="有导师", en="with a mentor"), figures.matched),
            (Text(zh="志愿", en="ranks"), ", ".join(f"{rank}: {count}" for rank, count in figures.ranks.items())),
            (Text(zh="补录", en="completed"), figures.completed),
            (Text(zh="每位导师", en="per mentor"), f"{figures.least}–{figures.most}"),
        ]
        table([Text(zh="数据", en="figure"), Text(zh="值", en="value")], lines)

    run(whole)


@click.command("publish", help="公布一次试算的结果 · make a run the assignment")
@click.argument("district")
@click.argument("round_id", metavar="ROUND", type=click.UUID)
@click.argument("run_id", metavar="RUN", type=click.UUID)
def publish(district: str, round_id: UUID, run_id: UUID) -> None:
    async def whole(platform: Platform) -> None:
        async with _work(platform, district) as context:
            row = await publishing.publish(context, round_id, run=run_id, orgs=None, by=None)
        said = Text(zh="已公布；抽签种子 {seed}", en="published; the lottery's seed is {seed}")
        say(said.format(seed=row.seed))

    run(whole)


@click.command("paper-out", help="导出一个班的志愿表 · write the form of a class")
@click.argument("district")
@click.argument("round_id", metavar="ROUND", type=click.UUID)
@click.argument("class_id", metavar="CLASS", type=click.UUID)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def paper_out(district: str, round_id: UUID, class_id: UUID, file: Path) -> None:
    async def whole(platform: Platform) -> bytes:
        async with _work(platform, district) as context:
            connection = await context.session.connection()
            row = await rounds.managed(connection, round_id, orgs=None)
            today = today_in(context.district, context.now)
            return await paper.template(connection, row, class_id=class_id, today=today)

    book = run(whole)
    file.write_bytes(book)


@click.command("paper-in", help="录入填好的志愿表 · take in a filled form")
@click.argument("district")
@click.argument("round_id", metavar="ROUND", type=click.UUID)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def paper_in(district: str, round_id: UUID, file: Path) -> None:
    content = file.read_bytes()

    async def whole(platform: Platform) -> None:
        async with _work(platform, district) as context:
            session, now = context.session, context.now
            row = await rounds.managed(session, round_id, orgs=None, lock=True)
            read = await paper.read_sheet(session, row, content=content, today=today_in(context.district, now))
            taken = await preferences.file_paper(session, round_id=round_id, lists=read.lists, by=None, now=now)
        for place, text in read.own:
            click.echo(f"{place}: {text.pick(language_of_environment())}", err=True)
        say(Text(zh="录入 {n} 名学生的志愿", en="the lists of {n} pupils were taken").format(n=taken))

    run(whole)


@click.command("run-all", help="试算区县内所有已截止的轮次 · a trial run of every round that is closed")
@click.argument("district")
def run_all(district: str) -> None:
    _sweep(district, try_closed)


@click.command("publish-all", help="公布区县内所有轮次的最近一次试算 · publish the last trial run of every round")
@click.argument("district")
def publish_all(district: str) -> None:
    _sweep(district, publish_tried)


def _sweep(district: str, one_by_one: Callable[..., AsyncGenerator[Done]]) -> None:
    """Each school in a line as it is done; exit code 2 if there was trouble with any."""

    async def whole(platform: Platform) -> int:
        language, troubled = language_of_environment(), 0
        gc.freeze()  # what has been imported is here to stay; looking at it again cost a tenth of the time
        async for done in one_by_one(platform, platform.state(district), by=None, now=datetime.now(UTC)):
            troubled += done.trouble is not None
            if done.trouble is not None:
                text = done.trouble.detail or Text(zh="没有改变", en=done.trouble.kind)
                click.echo(f"{done.school}: {text.pick(language)}", err=True)
                for _, place in done.trouble.errors:
                    click.echo(f"  {place.pick(language)}", err=True)
            elif done.run is None:
                say(Text(zh="{school}：已公布", en="{school}: published").format(school=done.school))
            else:
                figures = done.run.figures
                told = Text(zh="{school}：{matched}/{students} 有导师", en="{school}: {matched} of {students} matched")
                said = told.format(school=done.school, matched=figures.matched, students=figures.students)
                say(said)
        return troubled

    if run(whole):
        raise SystemExit(WRONG_INPUT)


COMMANDS = [list_rounds, try_out, publish, run_all, publish_all, paper_out, paper_in]

"""`gongyu person …`: what people may ask for about their data, done by the operator they asked."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import click

from gongyu.access import audit
from gongyu.access.authenticate import changed
from gongyu.cli.frame import WRONG_INPUT, confirm, fail, operator, run, say, stated, table
from gongyu.cli.guardian import guardian
from gongyu.cli.person_requests import correct, done, requests
from gongyu.districts.registry import DistrictState
from gongyu.events import outbox
from gongyu.people.rights.consent import ConsentRefusedError, Word, standings
from gongyu.people.rights.consent import say as say_consent
from gongyu.people.rights.contract import Erased
from gongyu.people.rights.copy import NobodyError, collect
from gongyu.people.rights.copy_archive import pack
from gongyu.people.rights.declared import purposes_in
from gongyu.people.rights.erasure import NotWholeError, erase
from gongyu.people.rights.figures import Section, as_markdown, as_workbook, yearly
from gongyu.people.rights.periods import midnight_of, today_in
from gongyu.people.rights.requests import RequestError, ask, decide
from gongyu.people.rights.retention import categories_in
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["person"]

T = TypeVar("T")
_NOBODY = Text(zh="没有这个人，或已删除", en="there is no such person, or they were erased")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def person() -> None:
    """个人信息：副本、更正、删除、同意、监护关系 · People's data: copy, correction, erasure, consent, guardians."""


for command in (guardian, correct, requests, done):
    person.add_command(command)


@person.command("copy")
@click.argument("district")
@click.argument("id_", metavar="ID", type=click.UUID)
@click.argument("out", metavar="OUT.zip", type=_FILE)
@click.option("--reason", help="理由，留存于审计日志 · why, kept in the audit log")
def copy_(district: str, id_: UUID, out: Path, *, reason: str | None) -> None:
    """某人的全部个人信息 · All data about a person, to hand to them; what is theirs alone is left out and named."""
    why = stated(reason)

    async def work(platform: Platform) -> None:
        state, now = platform.state(district), datetime.now(UTC)
        async with outbox.work(platform, state) as session:
            found = await collect(
                platform, state, session, person=id_, reader="operator", actor=operator(), now=now, reason=why
            )
            categories = [category for _, category in categories_in(platform, state)]
            _write(out, pack(found, timezone=state.district.timezone, categories=categories))
        for absent in found.absent:
            line = Text(zh="未包含：{what}（{why}）", en="not included: {what} ({why})")
            say(line.format(what=absent.title, why=absent.words), err=True)

    _run(work)


@person.command("erase")
@click.argument("district")
@click.argument("id_", metavar="ID", type=click.UUID)
@click.option("--reason", default="", help="答复的理由，留存 · why, kept with the request")
@click.option("--dry-run", is_flag=True, help="只看会怎样 · only show what would happen")
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def erase_(district: str, id_: UUID, *, reason: str, dry_run: bool, yes: bool) -> None:
    """删除某人的个人信息 · Erase a person's data; what a law keeps stays, and is said."""

    async def rehearse(platform: Platform) -> list[Erased]:
        state = platform.state(district)
        session = platform.database.session(state.district)
        async with session, session.begin() as transaction:
            lines = await erase(platform, state, session, person=id_, actor=operator(), now=datetime.now(UTC))
            await transaction.rollback()
        return lines

    async def work(platform: Platform) -> list[Erased]:
        state = platform.state(district)
        lines = await _erase_on_request(platform, state, id_, reason)
        await changed(platform, district)
        return lines

    _show(_run(rehearse))
    if dry_run:
        return
    question = Text(zh="以上标为“删除”的内容无法恢复。继续？", en="what goes cannot be brought back. Go on?")
    confirm(question, yes=yes)
    _say_outcome(_run(work))


def _say_outcome(lines: Sequence[Erased]) -> None:
    gone = [line for line in lines if line.kept is None]
    kept = [line for line in lines if line.kept is not None]
    say(
        Text(zh="已删除：{what}", en="erased: {what}").format(what=_listed(gone))
        if gone
        else Text(zh="没有可以删除的内容", en="nothing could be erased")
    )
    if kept:
        say(Text(zh="依法保留：{what}", en="kept, as the law demands: {what}").format(what=_listed(kept)))


def _listed(lines: Sequence[Erased]) -> Text:
    return Text(
        zh="、".join(f"{line.what.zh}（{line.rows}）" for line in lines),
        en="; ".join(f"{line.what.en} ({line.rows})" for line in lines),
    )


async def _erase_on_request(platform: Platform, state: DistrictState, id_: UUID, reason: str) -> list[Erased]:
    """As somebody's request said to the operator, so that it is found among the requests like any other."""
    now, actor = datetime.now(UTC), operator()
    async with outbox.work(platform, state) as session:
        request = await ask(
            session,
            keys=platform.keys,
            kind="erasure",
            person=id_,
            wish="—",
            by=None,
            asked_as="operator",
            actor=actor,
            now=now,
        )
        answered = await decide(
            platform,
            state,
            session,
            request=request,
            accept=True,
            reason=reason or "—",
            orgs=None,
            actor=actor,
            now=now,
        )
    return (answered and answered.outcome) or []


@person.command("consents")
@click.argument("district")
@click.argument("id_", metavar="ID", type=click.UUID)
def consents(district: str, id_: UUID) -> None:
    """某人的同意情况 · How things stand with each purpose for a person."""

    async def work(platform: Platform) -> None:
        state, now = platform.state(district), datetime.now(UTC)
        purposes = purposes_in(platform, state).values()
        async with outbox.work(platform, state) as session:
            found = await standings(session, person=id_, purposes=purposes, on=today_in(state.district, now))
            if found is None:
                raise NobodyError
            await audit.record(session, action="consent.read", actor=operator(), subject=f"person:{id_}")
        table(
            [
                Text(zh="目的", en="purpose"),
                Text(zh="可处理", en="allowed"),
                Text(zh="理由", en="why"),
                Text(zh="次数", en="words"),
            ],
            [
                (
                    one.purpose.title,
                    Text(zh="是", en="yes") if one.allowed else Text(zh="否", en="no"),
                    one.ground,
                    len(one.history),
                )
                for one in found
            ],
        )

    _run(work)


@person.command("consent")
@click.argument("district")
@click.argument("id_", metavar="ID", type=click.UUID)
@click.argument("purpose")
@click.argument("word", type=click.Choice(["given", "refused", "withdrawn"]))
@click.option(
    "--by", required=True, type=click.UUID, help="签署人：监护人或本人 · who signed: a guardian, or the person"
)
@click.option("--version", required=True, type=click.IntRange(1), help="所签文本的版本 · of the text they signed")
@click.option(
    "--signed-on", required=True, type=click.DateTime(["%Y-%m-%d"]), help="签署日期 · the day, such as 2026-09-01"
)
def consent_(
    district: str, id_: UUID, *, purpose: str, word: Word, by: UUID, version: int, signed_on: datetime
) -> None:
    """登记纸质同意书 · Enter a consent, a refusal or a withdrawal that was signed on paper."""

    async def work(platform: Platform) -> None:
        state, now = platform.state(district), datetime.now(UTC)
        found = purposes_in(platform, state).get(purpose)
        if found is None:
            known = ", ".join(purposes_in(platform, state))
            unknown = Text(zh="没有目的 {p}；现有：{known}", en="there is no purpose {p}; there are: {known}")
            fail(unknown.format(p=purpose, known=known), WRONG_INPUT)
        at = min(now, midnight_of(state.district, signed_on.date()))
        if signed_on.date() > today_in(state.district, now):
            fail(Text(zh="签署日期不能晚于今天", en="it cannot have been signed after today"), WRONG_INPUT)
        async with outbox.work(platform, state) as session:
            await say_consent(
                session,
                person=id_,
                purpose=found,
                version=version,
                word=word,
                by=by,
                channel="paper",
                actor=operator(),
                now=at,
            )
        say(Text(zh="已登记", en="entered"))

    _run(work)


@person.command("audit-report")
@click.argument("district")
@click.argument("year", type=click.IntRange(2000, 9998))
@click.argument("out", metavar="OUT.xlsx|OUT.md", type=_FILE)
def audit_report(district: str, year: int, out: Path) -> None:
    """未成年人个人信息合规审计年度数据 · The yearly figures of the audit of minors' data."""
    if out.suffix not in (".xlsx", ".md"):
        fail(Text(zh="文件名须以 .xlsx 或 .md 结尾", en="the file's name must end in .xlsx or .md"), WRONG_INPUT)

    async def work(platform: Platform) -> tuple[str, list[Section]]:
        state = platform.state(district)
        async with outbox.work(platform, state) as session:
            sections = await yearly(platform, state, session, year=year, now=datetime.now(UTC))
            details = {"year": year}
            await audit.record(session, action="person.audit_reported", actor=operator(), details=details)
        return state.district.name, sections

    name, sections = _run(work)
    if out.suffix == ".xlsx":
        as_workbook(sections, out)
    else:
        title = Text(zh=f"{name} {year} 年未成年人个人信息合规审计", en="Audit of minors' personal data")
        out.write_text(as_markdown(sections, title=title), encoding="utf-8")


def _run(work: Callable[[Platform], Awaitable[T]]) -> T:
    async def said(platform: Platform) -> T:
        try:
            return await work(platform)
        except NobodyError:
            fail(_NOBODY, WRONG_INPUT)
        except (NotWholeError, RequestError, ConsentRefusedError) as error:
            fail(error.text)

    return run(said)


def _show(lines: Sequence[Erased]) -> None:
    table(
        [Text(zh="数据", en="data"), Text(zh="条数", en="records"), Text(zh="保留的理由", en="why it stays")],
        [(line.what, line.rows, line.kept or Text(zh="删除", en="goes")) for line in lines],
    )


def _write(target: Path, content: bytes) -> None:
    """Whole or not at all, and nobody else's to read."""
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.touch(mode=0o600)
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)

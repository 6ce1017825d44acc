"""`gongyu person correct|requests|done`: corrections by the operator to whom they were said."""

from datetime import UTC, datetime
from uuid import UUID

import click
import msgspec
import sqlalchemy as sa

from gongyu.access.authenticate import changed
from gongyu.cli.frame import WRONG_INPUT, fail, operator, run, say, table
from gongyu.events import outbox
from gongyu.people.models import Person
from gongyu.people.rights.corrections import FIELDS, Fields, faults
from gongyu.people.rights.models import RightsRequest
from gongyu.people.rights.periods import today_in
from gongyu.people.rights.requests import (
    STILL_IN_SOURCE,
    TO_BE_DONE,
    AskedFor,
    RequestError,
    ask,
    decide,
    mark_done,
)
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["correct", "done", "requests"]

_SOURCE = Text(zh="请在名册来源中也予以更正", en="also correct it in the source of the roster")
_BY_HAND = Text(zh="尚待人工更正", en="still to be done by hand")
_OPEN = Text(zh="待答复", en="to be answered")
_KINDS = {"correction": Text(zh="更正", en="correction"), "erasure": Text(zh="删除", en="erasure")}


@click.command("correct")
@click.argument("district")
@click.argument("id_", metavar="ID", type=click.UUID)
@click.argument("wishes", metavar="FIELD=VALUE…", nargs=-1, required=True)
@click.option("--reason", required=True, help="答复的理由，留存 · why, kept with the request")
def correct(district: str, id_: UUID, *, wishes: tuple[str, ...], reason: str) -> None:
    """更正某人的信息 · Put right what is wrong about a person, such as birth_date=2014-03-02; empty takes it away."""
    said = dict(wish.partition("=")[::2] for wish in wishes)
    try:
        fields = msgspec.convert(said, Fields)
    except msgspec.ValidationError as error:
        known = Text(zh="{error}；可更正的字段：{known}", en="{error}; fields: {known}")
        fail(known.format(error=error, known=", ".join(FIELDS)), WRONG_INPUT)

    async def work(platform: Platform) -> AskedFor | None:
        state, now, actor = platform.state(district), datetime.now(UTC), operator()
        if wrong := faults(fields, today=today_in(state.district, now)):
            for name, text in wrong:
                say(Text(zh="{name}：{text}", en="{name}: {text}").format(name=name, text=text), err=True)
            fail(Text(zh="什么都没有改变", en="nothing was changed"), WRONG_INPUT)
        async with outbox.work(platform, state) as session:
            known = sa.select(Person.id).where(Person.id == id_, Person.erased_at.is_(None))
            if (await session.execute(known)).first() is None:
                fail(Text(zh="没有这个人，或已删除", en="there is no such person, or they were erased"), WRONG_INPUT)
            request = await ask(
                session,
                keys=platform.keys,
                kind="correction",
                person=id_,
                wish="",
                fields=fields,
                by=None,
                asked_as="operator",
                actor=actor,
                now=now,
            )
            answered = await decide(
                platform, state, session, request=request, accept=True, reason=reason, orgs=None, actor=actor, now=now
            )
        await changed(platform, district)
        return answered

    answered = run(work)
    say(Text(zh="已更正", en="corrected"))
    if answered is not None and answered.still_in_source:
        todo = Text(zh="{what}，然后 gongyu person done {d} {id}", en="{what}, then gongyu person done {d} {id}")
        say(todo.format(what=_SOURCE, d=district, id=answered.id))


@click.command("requests")
@click.argument("district")
def requests(district: str) -> None:
    """待答复、待完成的请求 · Requests to answer or to finish, those due first."""

    async def work(platform: Platform) -> list[tuple[object, ...]]:
        columns = (RightsRequest.id, RightsRequest.kind, RightsRequest.person_id, RightsRequest.due_on)
        open_ = RightsRequest.state == "open"
        found = (
            sa.select(*columns, open_, STILL_IN_SOURCE)
            .where(sa.or_(open_, TO_BE_DONE))
            .order_by(RightsRequest.due_on, RightsRequest.id)
        )
        async with platform.database.read(platform.state(district).district) as connection:
            rows = (await connection.execute(found)).all()
        return [
            (id_, _KINDS[kind], person, due, _OPEN if waiting else _SOURCE if in_source else _BY_HAND)
            for id_, kind, person, due, waiting, in_source in rows
        ]

    heads = [
        Text(zh="编号", en="id"),
        Text(zh="请求", en="request"),
        Text(zh="关于", en="about"),
        Text(zh="期限", en="due"),
        Text(zh="待办", en="to do"),
    ]
    table(heads, run(work))


@click.command("done")
@click.argument("district")
@click.argument("request", type=click.UUID)
def done(district: str, request: UUID) -> None:
    """更正已全部完成 · An accepted correction is put right everywhere, at the roster's source too."""

    async def work(platform: Platform) -> None:
        state = platform.state(district)
        try:
            async with outbox.work(platform, state) as session:
                found = await mark_done(
                    session,
                    keys=platform.keys,
                    request=request,
                    orgs=None,
                    actor=operator(),
                    now=datetime.now(UTC),
                )
        except RequestError as error:
            fail(error.text, WRONG_INPUT)
        if found is None:
            fail(Text(zh="没有这份请求", en="there is no such request"), WRONG_INPUT)

    run(work)
    say(Text(zh="已标记为完成", en="marked as done"))

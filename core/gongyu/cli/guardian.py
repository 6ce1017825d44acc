"""`gongyu person guardian …`: what the school settles on paper about a child's guardians."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import cast, get_args
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import guardians
from gongyu.access.authenticate import changed
from gongyu.access.operating import find_person
from gongyu.access.sign_in import day_of
from gongyu.cli.frame import WRONG_INPUT, fail, operator, run, say
from gongyu.events import outbox
from gongyu.people.roster.canonical import GuardianshipKind
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["guardian"]

_KIND = click.Choice(get_args(GuardianshipKind))


@click.group()
def guardian() -> None:
    """监护关系：增加、结束、禁止联系 · A child's guardians: add, end, forbid contact.

    CHILD 与 GUARDIAN 是 id、用户名、sourcedId 或编号 · are ids, user names, sourcedIds or identifiers.
    """


@guardian.command()
@click.argument("district")
@click.argument("child")
@click.argument("guardian_", metavar="GUARDIAN")
@click.option("--kind", type=_KIND, default="guardian", show_default=True, help="与孩子的关系 · what they are to it")
def add(district: str, child: str, guardian_: str, kind: str) -> None:
    """增加监护人，也用于解除禁止 · Make somebody a guardian; it also lifts a ban."""

    async def work(session: AsyncSession, student: UUID, adult: UUID, today: date) -> None:
        told = cast("GuardianshipKind", kind)
        await guardians.add(session, guardian=adult, student=student, kind=told, by=operator(), today=today)

    _settle(district, child, guardian_, work)
    say(Text(zh="已增加", en="added"))


@guardian.command()
@click.argument("district")
@click.argument("child")
@click.argument("guardian_", metavar="GUARDIAN")
def end(district: str, child: str, guardian_: str) -> None:
    """结束监护关系，立即生效 · End it at once; a slip of paper does not bring it back."""

    async def work(session: AsyncSession, student: UUID, adult: UUID, today: date) -> None:
        await guardians.end(session, guardian=adult, student=student, by=operator(), today=today)

    _settle(district, child, guardian_, work)
    say(
        Text(
            zh="已结束；名册如仍列出此关系，下次导入会恢复，要长期阻止请用 forbid",
            en="ended; a roster that still lists it brings it back: use forbid to keep them apart",
        )
    )


@guardian.command()
@click.argument("district")
@click.argument("child")
@click.argument("guardian_", metavar="GUARDIAN")
@click.option("--kind", type=_KIND, help="与孩子的关系，默认不变 · what they are to the child, as known unless said")
def forbid(district: str, child: str, guardian_: str, kind: str | None) -> None:
    """禁止联系，立即生效，名册也不能解除 · No contact, at once; no roster lifts it."""

    async def work(session: AsyncSession, student: UUID, adult: UUID, today: date) -> None:
        told = cast("GuardianshipKind | None", kind)
        await guardians.forbid(session, guardian=adult, student=student, kind=told, by=operator(), today=today)

    _settle(district, child, guardian_, work)
    say(
        Text(
            zh="已禁止联系；这个孩子的家长绑定从此须到学校办理",
            en="contact is forbidden; from now on guardians of this child are bound at the school only",
        )
    )


def _settle(
    district: str, child: str, adult: str, work: Callable[[AsyncSession, UUID, UUID, date], Awaitable[None]]
) -> None:
    async def settled(platform: Platform) -> None:
        state = platform.state(district)
        try:
            async with outbox.work(platform, state) as session:
                student = await find_person(session, child, keys=platform.keys)
                found = await find_person(session, adult, keys=platform.keys)
                await work(session, student, found, day_of(state.district, datetime.now(UTC)))
        except guardians.GuardianError as error:
            fail(error.text, WRONG_INPUT)
        await changed(platform, district)

    run(settled)

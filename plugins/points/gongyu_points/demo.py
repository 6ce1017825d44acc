"""The demonstration: last term from opening to the auditor's zero, and this term begun."""

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from gongyu.access.principal import Principal
from gongyu.access.relations import holds
from gongyu.database.model import new_id
from gongyu.people.models import ClassGroup, Enrolment
from gongyu.plugin import Context, DemoLine, Text
from gongyu_points.audit import audit
from gongyu_points.calendar import today_of
from gongyu_points.giving import MENTEES, award
from gongyu_points.reversing import undo
from gongyu_points.schemas import NewAward, NewRedemption, NewTerm
from gongyu_points.shop import demo as shop
from gongyu_points.spending import redeem
from gongyu_points.terms import close_term, open_term
from gongyu_points.vouchers.depositing import deposit
from gongyu_points.vouchers.pdf import on_paper
from gongyu_points.vouchers.printing import fresh_codes, print_sheet
from gongyu_points.vouchers.schemas import Batch, NewDeposit, NewSheet, Paper, VoidSheet
from gongyu_points.vouchers.voiding import void

__all__ = ["play"]

_SEED: Final = 20260901
_MOST_CLASSES: Final = 12
_ITEMS: Final = (("签字笔", 5), ("点歌一首", 2), ("午间电影", 10), ("与校长共进午餐", 20))
_REASONS: Final = ("helps_others", "progress", "exercise", "arts", "tidy")


async def play(context: Context) -> Sequence[DemoLine]:
    """Through the services that everybody uses."""
    chance = random.Random(_SEED)  # noqa: S311 - a story, no secret
    session, term = context.session, new_id()
    quotas = await open_term(context, new=NewTerm(term, "上学期"))
    given, spent, taken, deposited = 0, 0, 0, 0
    printed: dict[UUID, Sequence[Paper]] = {}
    sold: dict[UUID, shop.Played] = {}
    for teacher, school, pupils in await _classes(context):
        giver = Principal(teacher, "", (), None, "demo")
        whole = NewAward(id=new_id(), points=2, reason="tidy", students=tuple(pupils))
        given += len((await award(context, new=whole, giver=giver, orgs=None)).students)
        for pupil in chance.sample(pupils, min(8, len(pupils))):
            new = NewAward(
                id=new_id(), points=chance.choice((2, 5, 10, 20)), reason=chance.choice(_REASONS), students=(pupil,)
            )
            done = await award(context, new=new, giver=giver, orgs=None)
            given += 1
            item, price = chance.choice(_ITEMS)
            if price <= done.students[0].balance:
                await redeem(context, new=NewRedemption(new_id(), pupil, price, school, item), actor=pupil)
                spent += 1
        slip = NewAward(id=new_id(), points=20, reason="reading", students=(pupils[0],))
        await award(context, new=slip, giver=giver, orgs=None)
        await undo(context, key=new_id(), operation=slip.id, giver=teacher)
        given, taken = given + 1, taken + 1
        sheet = new_id()
        printed[sheet], cashed = await _vouchers(context, sheet=sheet, giver=giver, school=school, pupils=pupils)
        deposited += cashed
        if school not in sold:
            sold[school] = await shop.play(context, school=school, clerk=teacher, pupils=pupils)

    @asynccontextmanager
    async def work() -> AsyncIterator[AsyncSession]:
        yield session

    closed = await close_term(work, term=term, settings=context.settings, today=today_of(context))
    await open_term(context, new=NewTerm(new_id(), "本学期"))
    found = await audit(await session.connection(), context.district)
    broken = sum(line.broken for line in found.invariants)
    return [
        DemoLine(title=Text(zh="审计：不符之处", en="the auditor found wrong"), figure=broken),
        DemoLine(title=Text(zh="发放额度", en="quotas granted"), figure=quotas),
        DemoLine(title=Text(zh="发放积分", en="awards"), figure=given),
        DemoLine(title=Text(zh="兑换", en="redemptions"), figure=spent),
        DemoLine(title=Text(zh="冲正", en="reversals"), figure=taken),
        DemoLine(title=Text(zh="印制积分券", en="vouchers printed"), figure=sum(map(len, printed.values()))),
        DemoLine(
            title=Text(zh="第一张积分券的 PDF（字节）", en="the first sheet of vouchers as PDF, bytes"),
            figure=await _bytes_on_paper(context, *next(iter(printed.items()))) if printed else 0,
        ),
        DemoLine(title=Text(zh="存入积分券", en="vouchers deposited"), figure=deposited),
        DemoLine(
            title=Text(zh="书坊驿站订单", en="orders at the shops"), figure=sum(one.placed for one in sold.values())
        ),
        DemoLine(title=Text(zh="交付礼品", en="gifts handed out"), figure=sum(one.collected for one in sold.values())),
        DemoLine(title=Text(zh="退货", en="gifts returned"), figure=sum(one.returned for one in sold.values())),
        DemoLine(title=Text(zh="学期结账，到期积分", en="points expired at the end of term"), figure=closed.points),
    ]


async def _vouchers(
    context: Context, *, sheet: UUID, giver: Principal, school: UUID, pupils: Sequence[UUID]
) -> tuple[Sequence[Paper], int]:
    """A sheet with its codes: some are deposited, one is voided, the rest is forgotten and expires with the term."""
    batches = (Batch(2, 6), Batch(5, 2))
    new = NewSheet(id=sheet, batches=batches, reason="helps_others", org=school, note="校园开放日")
    await print_sheet(context, new=new, printer=giver, orgs=None)
    paper = await fresh_codes(context, sheet=new.id, printer=giver.person)
    for one, pupil in zip(paper[:4], pupils, strict=False):
        slip = NewDeposit(new_id(), one.code)
        await deposit(context, new=slip, code=one.code, student=pupil, actor=pupil)
    last = VoidSheet(new_id(), (paper[-1].number,))
    await void(context, new=last, sheet=new.id, actor=giver.person)
    return paper, min(4, len(pupils))


async def _bytes_on_paper(context: Context, sheet: UUID, paper: Sequence[Paper]) -> int:
    return len(await on_paper(context, sheet=sheet, paper=paper, base="http://127.0.0.1:8000"))


async def _classes(context: Context) -> list[tuple[UUID, UUID, list[UUID]]]:
    """Some homeroom teachers with their school and the pupils they may give to: mentees where there are mentors."""
    today, teacher, pupil = today_of(context), aliased(Enrolment), aliased(Enrolment)
    rows = await context.session.execute(
        sa.select(teacher.person_id, ClassGroup.school_id, sa.func.array_agg(sa.distinct(pupil.person_id)))
        .join(teacher, teacher.class_id == ClassGroup.id)
        .join(pupil, pupil.class_id == ClassGroup.id)
        .where(
            ClassGroup.type == "homeroom",
            teacher.role == "teacher",
            teacher.is_primary,
            holds(teacher, today),
            pupil.role == "student",
            holds(pupil, today),
        )
        .group_by(ClassGroup.id, ClassGroup.school_id, teacher.person_id)
        .order_by(ClassGroup.id)
        .limit(_MOST_CLASSES)
    )
    classes = [(person, school, list(pupils)) for person, school, pupils in rows]
    if mentees := context.capabilities.get(MENTEES):
        classes = [(person, school, list(await mentees(context, person=person))) for person, school, _ in classes]
    return [group for group in classes if group[2]]

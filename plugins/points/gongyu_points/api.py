"""Points over HTTP: thin handlers.

What moves points takes its key in the body: it becomes the entry's own id and never expires. An `Idempotency-Key`
works here too, as everywhere.
"""

from uuid import UUID

from litestar import get, post, put
from litestar.params import FromPath

from gongyu.access import audit as audit_log
from gongyu.access.rights import verdict
from gongyu.events.outbox import work
from gongyu.plugin import SignedIn, Text
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu_points import audit, giving, instant, pupils, reasons, reversing, schools, spending, statements, terms
from gongyu_points.books import account_id
from gongyu_points.calendar import today_of
from gongyu_points.schemas import (
    AwardOut,
    BudgetOut,
    ClassOut,
    EntryOut,
    NewAward,
    NewBudget,
    NewReason,
    NewRedemption,
    NewReversal,
    NewTerm,
    OwnPupilOut,
    PurseOut,
    QuotaOut,
    ReasonOut,
    RedemptionOut,
    ReversalOut,
    TermOut,
    Undo,
)
from gongyu_points.seeing import require_class, require_student
from gongyu_points.settings import PointsSettings, of_schools

__all__ = ["ROUTES"]

GIVE = "points.award.give"
READ = "points.statement.read"
MANAGE = "points.term.manage"


async def _settings(call: Call) -> PointsSettings:
    """With the denominations of the schools where the caller gives, where they have their own."""
    if not of_schools(call.state):
        settings: PointsSettings = call.settings
        return settings
    async with call.platform.database.read(call.district) as connection:
        return await schools.settings_of(connection, state=call.state, giver=call.principal, orgs=call.orgs)


def _require_everywhere(call: Call) -> None:
    """What holds for the whole district is for whoever may do it in the whole district, not in one school of it."""
    if call.orgs is not None:
        text = Text(
            zh="这项操作涉及全区，须有全区的权限", en="this is for the whole district, and so must your right be"
        )
        raise ProblemError("forbidden", text)


@get(
    "/reasons",
    permission=SignedIn("words, the same for everybody"),
    operation_id="points_list_reasons",
    title=Text(zh="列出发放事由", en="List what points are given for"),
)
async def list_reasons(call: Call) -> list[ReasonOut]:
    return await reasons.all_reasons(await call.db(), call.district)


@put(
    "/reasons",
    permission=MANAGE,
    operation_id="points_put_reason",
    title=Text(zh="添加、修改或停用事由", en="Add, change or retire a reason"),
)
async def put_reason(call: Call, data: NewReason) -> ReasonOut:
    _require_everywhere(call)
    return await reasons.put(await call.session(), reason=data)


@get(
    "/quota",
    permission=GIVE,
    operation_id="points_read_quota",
    title=Text(zh="我还能发多少", en="What I may still give"),
)
async def read_quota(call: Call) -> QuotaOut:
    settings, giver = await _settings(call), call.principal.person
    return await statements.quota(await call.db(), call.state, giver=giver, settings=settings, today=today_of(call))


@get(
    "/pupils",
    permission=GIVE,
    operation_id="points_list_pupils",
    title=Text(zh="我可以给谁发积分", en="Whom I may give to"),
)
async def list_pupils(
    call: Call, class_id: UUID | None = None, limit: Limit = 20, cursor: Cursor = None
) -> Page[OwnPupilOut]:
    return await pupils.whom_to_give(call, today=today_of(call), class_id=class_id, limit=limit, cursor=cursor)


@get(
    "/quota/statement",
    permission=GIVE,
    operation_id="points_list_given",
    title=Text(zh="我这个学期发放的明细", en="What I gave this term"),
)
async def list_given(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[EntryOut]:
    term = await statements.latest(await call.db(), call.district)
    account = account_id("quota", owner=call.principal.person, term=term)
    return await statements.statement(call, account=account, limit=limit, cursor=cursor)


@post(
    "/awards",
    permission=GIVE,
    operation_id="points_give",
    title=Text(zh="给学生或班级发放积分", en="Give points to students or a class"),
)
async def give(call: Call, data: NewAward) -> AwardOut:
    settings = await _settings(call)
    if call.opened is None:  # with an `Idempotency-Key`, key and award are one unit of work
        done = await instant.give(
            call.platform,
            call.state,
            new=data,
            giver=call.principal,
            orgs=call.orgs,
            settings=settings,
            now=call.now,
        )
        if done is not None:
            return done
    return await giving.award(await call.context(), new=data, giver=call.principal, orgs=call.orgs, settings=settings)


@post(
    "/awards/{award:uuid}/undo",
    permission=GIVE,
    operation_id="points_undo",
    title=Text(zh="在规定时间内撤销我的发放", en="Take my award back, within minutes"),
)
async def undo(call: Call, award: FromPath[UUID], data: Undo) -> ReversalOut:
    return await reversing.undo(await call.context(), key=data.id, operation=award, giver=call.principal.person)


@post(
    "/entries/{entry:uuid}/reverse",
    permission="points.entry.reverse",
    operation_id="points_reverse",
    title=Text(zh="说明理由并冲正分录", en="Reverse an entry, with a reason"),
)
async def reverse(call: Call, entry: FromPath[UUID], data: NewReversal) -> ReversalOut:
    context = await call.context()
    done, now = await reversing.reverse(context, new=data, entry=entry, officer=call.principal.person, orgs=call.orgs)
    if now:
        await audit_log.record(
            context.session,
            action="points.reversed",
            actor=call.actor,
            subject=f"entry:{entry}",
            ground=call.verdict.ground.en if call.verdict else "",
            details={"operation": str(done.operation)},
        )
    return done


@post(
    "/redemptions",
    permission="points.redemption.make",
    operation_id="points_redeem",
    title=Text(zh="在积分超市兑换", en="Spend points at a shop"),
)
async def redeem(call: Call, data: NewRedemption) -> RedemptionOut:
    if data.student != call.principal.person:
        # Others' points are spent by whoever stands at the till of that shop.
        till = verdict(call.principal, call.platform.host.permissions["points.shop.serve"])
        session = await call.session()
        if (
            not till.covers(data.shop)
            or await giving.eligible(session, [data.student], orgs=till.orgs, today=today_of(call)) != 1
        ):
            raise ProblemError("not-found")
    elif call.orgs is not None and data.shop not in call.orgs:
        raise ProblemError("not-found")
    return await spending.redeem(await call.context(), new=data, actor=call.principal.person)


@get(
    "/students/{student:uuid}/purse",
    permission=READ,
    operation_id="points_read_purse",
    title=Text(zh="可用与累计积分", en="Spendable and earned points"),
)
async def read_purse(call: Call, student: FromPath[UUID]) -> PurseOut:
    await require_student(call, student, today=today_of(call))
    return await statements.purse(await call.db(), call.district, student=student)


@get(
    "/students/{student:uuid}/statement",
    permission=READ,
    operation_id="points_list_statement",
    title=Text(zh="学生的积分明细与逐笔余额", en="A student's entries with the balance after each"),
)
async def list_statement(
    call: Call, student: FromPath[UUID], limit: Limit = 20, cursor: Cursor = None
) -> Page[EntryOut]:
    await require_student(call, student, today=today_of(call))
    return await statements.statement(call, account=account_id("purse", owner=student), limit=limit, cursor=cursor)


@get(
    "/classes/{class_id:uuid}/equity",
    permission=READ,
    operation_id="points_read_class",
    title=Text(zh="班里谁还没有得到过", en="Who in a class never gets any"),
)
async def read_class(call: Call, class_id: FromPath[UUID]) -> ClassOut:
    await require_class(call, class_id, today=today_of(call))
    return await statements.class_view(await call.db(), call.district, class_id=class_id, today=today_of(call))


@get(
    "/terms",
    permission=SignedIn("when points may be given"),
    operation_id="points_list_terms",
    title=Text(zh="列出学期", en="List the terms of the books"),
)
async def list_terms(call: Call) -> list[TermOut]:
    return await statements.terms(await call.db(), call.district)


@post(
    "/terms",
    permission=MANAGE,
    operation_id="points_open_term",
    title=Text(zh="开放学期并发放额度", en="Open a term and grant the quotas"),
)
async def open_term(call: Call, data: NewTerm) -> int:
    _require_everywhere(call)
    return await terms.open_term(await call.context(), new=data, actor=call.actor)


@post(
    "/terms/{term:uuid}/close",
    permission=MANAGE,
    operation_id="points_close_term",
    title=Text(zh="学期结账", en="Close a term"),
)
async def close_term(call: Call, term: FromPath[UUID]) -> terms.Closed:
    _require_everywhere(call)
    return await terms.close_term(
        lambda: work(call.platform, call.state),
        term=term,
        settings=call.settings,
        today=today_of(call),
        actor=call.actor,
    )


@post(
    "/budgets",
    permission=MANAGE,
    operation_id="points_grant_budget",
    title=Text(zh="为活动拨付预算", en="Put points for an occasion into somebody's hands"),
)
async def grant_budget(call: Call, data: NewBudget) -> BudgetOut:
    _require_everywhere(call)
    return await terms.grant_budget(await call.context(), new=data, by=call.principal.person)


@get(
    "/budgets",
    permission=GIVE,
    operation_id="points_list_budgets",
    title=Text(zh="列出预算：自己掌握的；全区管理员看全部", en="List budgets: one's own, or by office all"),
)
async def list_budgets(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[BudgetOut]:
    office = verdict(call.principal, call.platform.host.permissions[MANAGE])
    everybody = office.allowed and office.orgs is None
    holder = None if everybody else call.principal.person
    return await statements.budgets(call, holder=holder, limit=limit, cursor=cursor)


@get(
    "/audit",
    permission="points.audit.read",
    operation_id="points_audit",
    title=Text(zh="由分录重新核算账目", en="Re-add the books from their entries"),
)
async def read_audit(call: Call) -> audit.Audit:
    _require_everywhere(call)
    return await audit.audit(await call.db(), call.district)


ROUTES = (
    list_reasons,
    put_reason,
    read_quota,
    list_given,
    list_pupils,
    give,
    undo,
    reverse,
    redeem,
    read_purse,
    list_statement,
    read_class,
    list_terms,
    open_term,
    close_term,
    grant_budget,
    list_budgets,
    read_audit,
)

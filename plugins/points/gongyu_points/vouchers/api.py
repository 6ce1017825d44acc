"""Vouchers over HTTP: thin handlers."""

from typing import Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath

from gongyu.access import attempts
from gongyu.access import audit as audit_log
from gongyu.access.rights import verdict
from gongyu.plugin import Text
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu.web.origin import address_of
from gongyu_points import schools
from gongyu_points.calendar import today_of
from gongyu_points.tries import begin_try
from gongyu_points.vouchers import sheets
from gongyu_points.vouchers.depositing import deposit, read_code, schools_of
from gongyu_points.vouchers.printing import fresh_codes, print_sheet
from gongyu_points.vouchers.schemas import DepositOut, NewDeposit, NewSheet, SheetOut, VoidSheet, VoucherOut
from gongyu_points.vouchers.voiding import void

__all__ = ["ROUTES"]

PRINT: Final = "points.voucher.print"
OVERSEE: Final = "points.voucher.oversee"
ACCEPT: Final = "points.voucher.accept"


def _holds(call: Call, permission: str, org: UUID | None) -> bool:
    found = verdict(call.principal, call.platform.host.permissions[permission])
    return found.allowed and (found.orgs is None or org in found.orgs)


def _require(call: Call, head: sheets.Head) -> None:
    """A sheet of one's own, or of one's school by office; any other is not there."""
    if head.printer != call.principal.person and not _holds(call, OVERSEE, head.org):
        raise ProblemError("not-found")


@post(
    "/sheets",
    permission=PRINT,
    operation_id="points_print_sheet",
    title=Text(zh="印一批积分券，从额度中扣除", en="Make a sheet of vouchers out of one's quota"),
)
async def make_sheet(call: Call, data: NewSheet) -> SheetOut:
    context = await call.context()
    printer, orgs = call.principal, call.orgs
    settings = await schools.settings_of(context.session, state=call.state, giver=printer, orgs=orgs)
    await print_sheet(context, new=data, printer=printer, orgs=orgs, settings=settings)
    return await sheets.sheet_of(await context.session.connection(), call.seals, sheet=data.id, today=today_of(call))


@post(
    "/sheets/{sheet:uuid}/pdf",
    permission=PRINT,
    keyless=True,  # an answer kept for a second asking would keep the codes
    operation_id="points_print_vouchers",
    title=Text(zh="打印积分券（再印则旧券作废）", en="The vouchers to print; printed again, older paper opens nothing"),
    media_type="application/pdf",
)
async def print_vouchers(call: Call, request: Request[Any, Any, Any], sheet: FromPath[UUID]) -> Response[bytes]:
    from gongyu_points.vouchers.pdf import on_paper  # noqa: PLC0415 - the printing press is loaded where needed

    context = await call.context()
    paper = await fresh_codes(context, sheet=sheet, printer=call.principal.person)
    base = call.platform.config.public_url or f"{request.url.scheme}://{request.url.netloc}"
    pdf = await on_paper(context, sheet=sheet, paper=paper, base=base)
    await audit_log.record(
        context.session,
        action="points.vouchers_printed",
        actor=call.actor,
        subject=f"sheet:{sheet}",
        details={"vouchers": len(paper)},
    )
    headers = {"cache-control": "no-store", "content-disposition": 'attachment; filename="vouchers.pdf"'}
    return Response(pdf, status_code=201, media_type="application/pdf", headers=headers)


@get(
    "/sheets",
    permission=PRINT,
    operation_id="points_list_own_sheets",
    title=Text(zh="我印的积分券", en="The sheets I printed, and what became of them"),
)
async def list_own(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[SheetOut]:
    return await sheets.own(call, limit=limit, cursor=cursor, today=today_of(call))


@get(
    "/school-sheets",
    permission=OVERSEE,
    operation_id="points_list_sheets",
    title=Text(zh="全校印的积分券", en="The sheets of a school, and what became of them"),
)
async def list_of_school(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[SheetOut]:
    return await sheets.of_school(call, limit=limit, cursor=cursor, today=today_of(call))


@get(
    "/sheets/{sheet:uuid}/vouchers",
    permission=PRINT,
    operation_id="points_list_vouchers",
    title=Text(zh="一批积分券逐张的去向", en="Each voucher of a sheet: open, deposited, void or expired"),
)
async def list_vouchers(call: Call, sheet: FromPath[UUID]) -> list[VoucherOut]:
    _require(call, await sheets.head(await call.db(), call.district, sheet=sheet))
    return await sheets.vouchers_of(await call.db(), sheet=sheet, today=today_of(call))


@post(
    "/sheets/{sheet:uuid}/void",
    permission=PRINT,
    operation_id="points_void_vouchers",
    title=Text(zh="作废未存入的积分券，退回额度", en="Void what was not deposited; its points go back"),
)
async def void_sheet(call: Call, sheet: FromPath[UUID], data: VoidSheet) -> SheetOut:
    context = await call.context()
    _require(call, await sheets.head(await context.session.connection(), call.district, sheet=sheet))
    points, now = await void(context, new=data, sheet=sheet, actor=call.principal.person)
    if now:
        await audit_log.record(
            context.session,
            action="points.vouchers_voided",
            actor=call.actor,
            subject=f"sheet:{sheet}",
            details={"points": points},
        )
    return await sheets.sheet_of(await context.session.connection(), call.seals, sheet=sheet, today=today_of(call))


@post(
    "/deposits",
    permission="points.voucher.deposit",
    keyless=True,  # the body has the key, and a try is counted before anything else happens
    operation_id="points_deposit_voucher",
    title=Text(zh="存入积分券", en="Deposit a voucher"),
)
async def deposit_voucher(call: Call, request: Request[Any, Any, Any], data: NewDeposit) -> DepositOut:
    code, person = read_code(data.code), call.principal.person
    address = address_of(request, call.platform.config.trusted_proxies)
    attempt = await begin_try(
        call.platform, call.district, kind="points.voucher", person=person, address=address, now=call.now
    )
    context = await call.context()
    student = data.student or person
    at = await schools_of(context, student)
    if not at or (student != person and not any(_holds(call, ACCEPT, org) for org in at)):
        raise ProblemError("not-found")
    done, now = await deposit(context, new=data, code=code, student=student, actor=person)
    settle = attempts.succeeded if now else attempts.withdrawn
    await settle(context.session, attempt)
    if now and student != person:
        await audit_log.record(
            context.session,
            action="points.voucher_accepted",
            actor=call.actor,
            subject=f"person:{student}",
            details={"entry": str(done.operation)},
        )
    return done


ROUTES = (
    make_sheet,
    print_vouchers,
    list_own,
    list_of_school,
    list_vouchers,
    void_sheet,
    deposit_voucher,
)

"""Orders over HTTP: ordering, the till, returns; thin handlers."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath, QueryParameter

from gongyu.access import attempts
from gongyu.access import audit as audit_log
from gongyu.plugin import Text
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu.web.origin import address_of
from gongyu_points import giving
from gongyu_points.calendar import today_of
from gongyu_points.seeing import require_student
from gongyu_points.shop import order_lists, orders, shops, till_codes
from gongyu_points.shop.frame import ORDER, SERVE, TILL, require_till
from gongyu_points.shop.schemas import Dismissal, NewOrder, NewSale, OrderOut, TillCodeOut
from gongyu_points.tries import begin_try

__all__ = ["ROUTES"]

State = Annotated[
    Literal["placed", "collected", "cancelled", "expired", "returned"] | None,
    QueryParameter(name="state", description="Of this state."),
]


@get(
    "/orders",
    permission=ORDER,
    operation_id="points_list_my_orders",
    title=Text(zh="我的订单", en="My orders"),
)
async def list_my_orders(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[OrderOut]:
    return await order_lists.of_student(call, student=call.principal.person, limit=limit, cursor=cursor)


@post(
    "/orders",
    permission=ORDER,
    operation_id="points_place_order",
    title=Text(zh="下单：预扣积分并预留礼品", en="Order: points on hold, goods put aside"),
)
async def place_order(call: Call, data: NewOrder) -> OrderOut:
    return await orders.place(await call.context(), new=data, student=call.principal.person, orgs=call.orgs)


@post(
    "/orders/{order:uuid}/cancel",
    permission=ORDER,
    operation_id="points_cancel_order",
    title=Text(zh="取消我的订单", en="Cancel my order"),
)
async def cancel_order(call: Call, order: FromPath[UUID]) -> OrderOut:
    context = await call.context()
    if (await orders.find(context.session, order)).student_id != call.principal.person:
        raise ProblemError("not-found")
    return await orders.cancel(context, order=order, by=call.principal.person)


@get(
    "/students/{student:uuid}/orders",
    permission="points.statement.read",
    operation_id="points_list_orders_of",
    title=Text(zh="学生的订单", en="A student's orders"),
)
async def list_orders_of(
    call: Call, student: FromPath[UUID], limit: Limit = 20, cursor: Cursor = None
) -> Page[OrderOut]:
    await require_student(call, student, today=today_of(call))
    return await order_lists.of_student(call, student=student, limit=limit, cursor=cursor)


@get(
    "/shops/{shop:uuid}/orders",
    permission=TILL,
    operation_id="points_list_shop_orders",
    title=Text(zh="书坊驿站的订单", en="The orders of a shop; on duty, those that wait"),
)
async def list_shop_orders(
    call: Call, shop: FromPath[UUID], wanted: State = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[OrderOut]:
    _, office = await require_till(call, await call.db(), shop)
    # What others bought before is not for a classmate to read.
    state = wanted if office else "placed"
    return await order_lists.of_shop(call, shop=shop, state=state, wishes=office, limit=limit, cursor=cursor)


@get(
    "/till-code",
    permission=ORDER,
    operation_id="points_show_till_code",
    title=Text(zh="我的付款码：在柜台向值班同学出示", en="My code, to be shown at the till to a pupil on duty"),
)
async def show_till_code(call: Call) -> TillCodeOut:
    connection, student = await call.db(), call.principal.person
    return await till_codes.show(connection, call.district, call.seals, student=student, now=call.now)


@post(
    "/shops/{shop:uuid}/sales",
    permission=TILL,
    keyless=True,  # the body has the key, and on duty a try is counted before anything else happens
    operation_id="points_sell",
    title=Text(zh="柜台售出：下单并当场交付", en="Sell over the counter: order and hand out at once"),
)
async def sell(call: Call, request: Request[Any, Any, Any], shop: FromPath[UUID], data: NewSale) -> OrderOut:
    row, office = await require_till(call, await call.db(), shop)
    # What is answered a second time is no try: one sale that is known would make up for any number of wrong codes.
    tried = data.code is not None and not office and not await orders.known(await call.db(), call.district, data.id)
    await call.let_go()
    person, attempt = call.principal.person, None
    if tried:
        address = address_of(request, call.platform.config.trusted_proxies)
        attempt = await begin_try(
            call.platform, call.district, kind="points.till_code", person=person, address=address, now=call.now
        )
    context, school = await call.context(), frozenset({row.org_id})
    if await giving.eligible(context.session, [data.student], orgs=school, today=today_of(call)) != 1:
        raise ProblemError("not-found")
    done = await orders.sell(context, new=data, shop=shop, by=person, on_duty=not office)
    if attempt is not None:
        await attempts.succeeded(context.session, attempt)
    return done


@post(
    "/orders/{order:uuid}/collect",
    permission=TILL,
    operation_id="points_collect_order",
    title=Text(zh="交付订单", en="Hand an order out"),
)
async def collect_order(call: Call, order: FromPath[UUID]) -> OrderOut:
    context = await call.context()
    row = await orders.find(context.session, order)
    await require_till(call, await context.session.connection(), row.shop_id)
    return await orders.collect(context, order=order, by=call.principal.person)


@post(
    "/orders/{order:uuid}/refuse",
    permission=SERVE,
    operation_id="points_refuse_order",
    title=Text(zh="说明理由并取消订单", en="Cancel a pupil's order, with a reason"),
)
async def refuse_order(call: Call, order: FromPath[UUID], data: Dismissal) -> OrderOut:
    context = await call.context()
    await _require_served(call, order)
    return await orders.cancel(context, order=order, by=call.principal.person, reason=data.reason)


@post(
    "/orders/{order:uuid}/return",
    permission=SERVE,
    operation_id="points_return_order",
    title=Text(zh="退货：积分退回，礼品入库", en="Take a gift back: points to the purse, goods to the shelf"),
)
async def return_order(call: Call, order: FromPath[UUID], data: Dismissal) -> OrderOut:
    context = await call.context()
    await _require_served(call, order)
    done = await orders.give_back(context, order=order, by=call.principal.person, reason=data.reason)
    await audit_log.record(
        context.session,
        action="points.order_returned",
        actor=call.actor,
        subject=f"order:{order}",
        ground=call.verdict.ground.en if call.verdict else "",
    )
    return done


async def _require_served(call: Call, order: UUID) -> None:
    """By office, at the school of the order's shop; duty is for handing out and selling."""
    context = await call.context()
    row = await orders.find(context.session, order)
    connection = await context.session.connection()
    await shops.require_shop(connection, call.district, row.shop_id, orgs=call.orgs)


ROUTES: Final = (
    list_my_orders,
    place_order,
    cancel_order,
    list_orders_of,
    list_shop_orders,
    show_till_code,
    sell,
    collect_order,
    refuse_order,
    return_order,
)

"""Kiosks over HTTP: setting up, leasing, uploading; thin handlers."""

from typing import Final
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath

from gongyu.access import audit as audit_log
from gongyu.access.authenticate import changed
from gongyu.plugin import Text
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu_points.calendar import today_of
from gongyu_points.shop import kiosk_sales, kiosks, leases, shops
from gongyu_points.shop.frame import MANAGE
from gongyu_points.shop.kiosk_schemas import KioskOut, LeaseOut, NewKiosk, NewKioskOut, NewLease, Sales, SalesOut
from gongyu_points.shop.kiosks import SELL
from gongyu_points.shop.schemas import Ended

__all__ = ["ROUTES"]


@get(
    "/shops/{shop:uuid}/kiosks",
    permission=MANAGE,
    operation_id="points_list_kiosks",
    title=Text(zh="列出自助机", en="List the kiosks of a shop"),
)
async def list_kiosks(call: Call, shop: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None) -> Page[KioskOut]:
    await shops.require_shop(await call.db(), call.district, shop, orgs=call.orgs)
    return await kiosks.KIOSKS.page(call, limit=limit, cursor=cursor, shop=shop)


@post(
    "/shops/{shop:uuid}/kiosks",
    permission=MANAGE,
    operation_id="points_register_kiosk",
    title=Text(zh="登记自助机并领取令牌", en="Set a kiosk up, or give it a new token"),
)
async def register_kiosk(call: Call, shop: FromPath[UUID], data: NewKiosk) -> NewKioskOut:
    context = await call.context()
    # Nobody hands on a right that they do not have themselves.
    if not kiosks.may_sell(call.principal, call.platform.host.permissions):
        raise ProblemError("forbidden")
    call.after_commit.append(lambda: changed(call.platform, call.district.slug))
    return await kiosks.register(
        context, shop=shop, new=data, by=call.actor, person=call.principal.person, orgs=call.orgs
    )


@post(
    "/kiosks/{kiosk:uuid}/retire",
    permission=MANAGE,
    operation_id="points_retire_kiosk",
    title=Text(zh="停用自助机", en="Retire a kiosk; its token ends"),
)
async def retire_kiosk(call: Call, kiosk: FromPath[UUID]) -> Ended:
    call.after_commit.append(lambda: changed(call.platform, call.district.slug))
    await kiosks.retire(await call.context(), kiosk=kiosk, by=call.actor, orgs=call.orgs)
    return Ended(kiosk)


@post(
    "/kiosks/{kiosk:uuid}/leases",
    permission=SELL,
    operation_id="points_take_lease",
    title=Text(zh="领取离线额度", en="Lease points and goods to sell without the network"),
)
async def take_lease(call: Call, kiosk: FromPath[UUID], data: NewLease) -> LeaseOut:
    context = await call.context()
    row = await kiosks.require_kiosk(context, kiosk, caller=call.principal, orgs=call.orgs)
    return await leases.take(context, kiosk=row, new=data, by=call.principal.person)


@post(
    "/leases/{lease:uuid}/sales",
    permission=SELL,
    operation_id="points_upload_sales",
    title=Text(zh="上传离线销售记录", en="Upload what was sold without the network"),
)
async def upload_sales(call: Call, lease: FromPath[UUID], data: Sales) -> SalesOut:
    context = await call.context()
    row = await leases.find(context, lease)
    await kiosks.require_kiosk(context, row.kiosk_id, caller=call.principal, orgs=call.orgs)
    return await kiosk_sales.upload(context, lease=lease, data=data, by=call.principal.person)


@post(
    "/leases/{lease:uuid}/withdraw",
    permission=MANAGE,
    operation_id="points_withdraw_lease",
    title=Text(zh="收回离线额度（设备丢失或损坏）", en="Withdraw a lease: the device is lost or broken"),
)
async def withdraw_lease(call: Call, lease: FromPath[UUID]) -> Ended:
    context = await call.context()
    row = await leases.find(context, lease)
    await shops.require_shop(await context.session.connection(), call.district, row.shop_id, orgs=call.orgs)
    person = call.principal.person
    if not await leases.settle(context.session, [lease], "withdrawn", by=person, day=today_of(context)):
        raise ProblemError("conflict", Text(zh="离线额度已结束", en="the lease has ended"))
    await audit_log.record(context.session, action="points.lease_withdrawn", actor=call.actor, subject=f"lease:{lease}")
    return Ended(lease)


ROUTES: Final = (list_kiosks, register_kiosk, retire_kiosk, take_lease, upload_sales, withdraw_lease)

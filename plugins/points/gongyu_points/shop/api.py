"""The shop over HTTP: shops, items, stock and duties; thin handlers."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from gongyu.plugin import Text
from gongyu.printing.workbook import XLSX
from gongyu.web import Call, Cursor, Limit, Page
from gongyu_points.shop import (
    duties,
    export,
    items,
    kiosk_routes,
    models,
    order_routes,
    pictures,
    shops,
    stock,
)
from gongyu_points.shop.frame import BROWSE, MANAGE
from gongyu_points.shop.schemas import (
    CountOut,
    DutyOut,
    ItemChange,
    ItemOut,
    MoveOut,
    NewCount,
    NewDuty,
    NewItem,
    NewMove,
    NewShop,
    PictureOut,
    ShopChange,
    ShopOut,
)

__all__ = ["ROUTES"]

_ = models  # their tables stand on the plugin's metadata once imported
_MOST_BODY: Final = 1024 * 1024
Retired = Annotated[bool, QueryParameter(description="Those no longer offered, instead.")]


@get(
    "/shops",
    permission=BROWSE,
    operation_id="points_list_shops",
    title=Text(zh="列出本校的书坊驿站", en="List the shops of my school"),
)
async def list_shops(call: Call, limit: Limit = 20, cursor: Cursor = None) -> Page[ShopOut]:
    return await shops.SHOPS.page(call, limit=limit, cursor=cursor, orgs=None if call.orgs is None else list(call.orgs))


@post(
    "/shops",
    permission=MANAGE,
    operation_id="points_create_shop",
    title=Text(zh="开设书坊驿站", en="Open a shop"),
)
async def create_shop(call: Call, data: NewShop) -> ShopOut:
    return await shops.create(await call.context(), new=data, orgs=call.orgs)


@put(
    "/shops/{shop:uuid}",
    permission=MANAGE,
    operation_id="points_change_shop",
    title=Text(zh="修改名称、时间，营业或停业", en="Change a shop's name and hours, open or close it"),
)
async def change_shop(call: Call, shop: FromPath[UUID], data: ShopChange) -> ShopOut:
    return await shops.change(await call.context(), shop=shop, to=data, orgs=call.orgs)


@get(
    "/shops/{shop:uuid}/items",
    permission=BROWSE,
    operation_id="points_list_items",
    title=Text(zh="列出礼品，特权在前", en="List what a shop offers, privileges first"),
)
async def list_items(
    call: Call,
    shop: FromPath[UUID],
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    retired: Retired = False,
) -> Page[ItemOut]:
    await shops.require_shop(await call.db(), call.district, shop, orgs=call.orgs)
    return await items.ITEMS.page(call, limit=limit, cursor=cursor, shop=shop, retired=retired)


@post(
    "/shops/{shop:uuid}/items",
    permission=MANAGE,
    operation_id="points_create_item",
    title=Text(zh="上架礼品、特权或活动", en="Offer a good, a privilege or an event"),
)
async def create_item(call: Call, shop: FromPath[UUID], data: NewItem) -> ItemOut:
    return await items.create(await call.context(), shop=shop, new=data, orgs=call.orgs)


@put(
    "/items/{item:uuid}",
    permission=MANAGE,
    operation_id="points_change_item",
    title=Text(zh="修改或下架", en="Change or retire an item"),
)
async def change_item(call: Call, item: FromPath[UUID], data: ItemChange) -> ItemOut:
    return await items.change(await call.context(), item=item, to=data, orgs=call.orgs)


@put(
    "/items/{item:uuid}/picture",
    permission=MANAGE,
    operation_id="points_put_picture",
    title=Text(zh="上传图片（PNG 或 JPEG，作为请求内容）", en="Upload a picture: PNG or JPEG as the body"),
    request_max_body_size=_MOST_BODY,
)
async def put_picture(call: Call, request: Request[Any, Any, Any], item: FromPath[UUID]) -> PictureOut:
    content = await request.body()
    return PictureOut(await pictures.save(await call.context(), item=item, content=content, orgs=call.orgs))


@get(
    "/items/{item:uuid}/picture",
    permission=BROWSE,
    operation_id="points_read_picture",
    title=Text(zh="礼品图片", en="An item's picture"),
    responses={304: ResponseSpec(None)},
    media_type="image/png",
)
async def read_picture(call: Call, request: Request[Any, Any, Any], item: FromPath[UUID]) -> Response[bytes]:
    found = await pictures.load(await call.db(), call.district, item=item, orgs=call.orgs)
    headers = {
        "etag": f'"{found.digest}"',
        "cache-control": "private, max-age=3600",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'",
    }
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(bytes(found.content), media_type=found.media_type, headers=headers)


@get(
    "/items/{item:uuid}/movements",
    permission=MANAGE,
    operation_id="points_list_movements",
    title=Text(zh="库存进出明细", en="List the movements of an item's stock"),
)
async def list_movements(call: Call, item: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None) -> Page[MoveOut]:
    await items.require_own(await call.db(), call.district, item, orgs=call.orgs)
    return await stock.MOVES.page(call, limit=limit, cursor=cursor, item=item)


@post(
    "/items/{item:uuid}/movements",
    permission=MANAGE,
    operation_id="points_record_movement",
    title=Text(zh="登记入库或损耗", en="Record a delivery or a loss"),
)
async def record_movement(call: Call, item: FromPath[UUID], data: NewMove) -> MoveOut:
    return await stock.record(await call.context(), item=item, new=data, by=call.principal.person, orgs=call.orgs)


@get(
    "/items/{item:uuid}/counts",
    permission=MANAGE,
    operation_id="points_list_counts",
    title=Text(zh="盘点记录", en="List the stock counts of an item"),
)
async def list_counts(call: Call, item: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None) -> Page[CountOut]:
    await items.require_own(await call.db(), call.district, item, orgs=call.orgs)
    return await stock.COUNTS.page(call, limit=limit, cursor=cursor, item=item)


@post(
    "/items/{item:uuid}/counts",
    permission=MANAGE,
    operation_id="points_count_stock",
    title=Text(zh="盘点：登记实数，差额自动更正", en="Count the stock; a difference is put right"),
)
async def count_stock(call: Call, item: FromPath[UUID], data: NewCount) -> CountOut:
    return await stock.count(await call.context(), item=item, new=data, by=call.principal.person, orgs=call.orgs)


@get(
    "/shops/{shop:uuid}/stock.xlsx",
    permission=MANAGE,
    operation_id="points_export_stock",
    title=Text(zh="下载库存表", en="Download the stock"),
    media_type=XLSX,
)
async def export_stock(call: Call, shop: FromPath[UUID]) -> Response[bytes]:
    await shops.require_shop(await call.db(), call.district, shop, orgs=call.orgs)
    book = await export.stock(await call.db(), call.district, shop=shop, language=call.language)
    return _workbook(book, "stock.xlsx")


@get(
    "/shops/{shop:uuid}/orders.xlsx",
    permission=MANAGE,
    operation_id="points_export_orders",
    title=Text(zh="下载订单表", en="Download the orders"),
    media_type=XLSX,
)
async def export_orders(call: Call, shop: FromPath[UUID]) -> Response[bytes]:
    await shops.require_shop(await call.db(), call.district, shop, orgs=call.orgs)
    book = await export.orders(await call.db(), call.district, call.seals, shop=shop, language=call.language)
    return _workbook(book, "orders.xlsx")


@get(
    "/shops/{shop:uuid}/duties",
    permission=MANAGE,
    operation_id="points_list_duties",
    title=Text(zh="值班安排", en="List who is and was on duty"),
)
async def list_duties(call: Call, shop: FromPath[UUID], limit: Limit = 50, cursor: Cursor = None) -> Page[DutyOut]:
    await shops.require_shop(await call.db(), call.district, shop, orgs=call.orgs)
    return await duties.DUTIES.page(call, limit=limit, cursor=cursor, shop=shop)


@post(
    "/shops/{shop:uuid}/duties",
    permission=MANAGE,
    operation_id="points_give_duty",
    title=Text(zh="安排学生值班", en="Put a pupil on duty"),
)
async def give_duty(call: Call, shop: FromPath[UUID], data: NewDuty) -> DutyOut:
    return await duties.give(await call.context(), shop=shop, new=data, by=call.principal.person, orgs=call.orgs)


@post(
    "/duties/{duty:uuid}/end",
    permission=MANAGE,
    operation_id="points_end_duty",
    title=Text(zh="提前结束值班", en="End a duty before its time"),
)
async def end_duty(call: Call, duty: FromPath[UUID]) -> DutyOut:
    return await duties.end(await call.context(), duty=duty, orgs=call.orgs)


def _workbook(book: bytes, name: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(book, media_type=XLSX, headers=headers)


ROUTES: Final = (
    list_shops,
    create_shop,
    change_shop,
    list_items,
    create_item,
    change_item,
    put_picture,
    read_picture,
    list_movements,
    record_movement,
    list_counts,
    count_stock,
    export_stock,
    export_orders,
    list_duties,
    give_duty,
    end_duty,
    *order_routes.ROUTES,
    *kiosk_routes.ROUTES,
)

"""Says thanks for every notice; it has never heard of the notice board's package, only of its events."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from litestar import get
from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart
from gongyu.plugin import Context, DemoLine, Occurrence, PluginInfo, SignedIn, Subscription, Text, hookimpl
from gongyu.web import Call
from gongyu_kindness.models import Base, Thanks

INFO = PluginInfo(
    name="kindness",
    title=Text(zh="谢谢", en="Thanks"),
    summary=Text(zh="每条公告都有人道谢", en="Somebody says thanks for every notice"),
    contract=">=1.0,<2",
)


@hookimpl
def tables() -> sa.MetaData:
    return Base.metadata


@get(
    "/count",
    permission=SignedIn("a single figure, the same for everybody"),
    operation_id="kindness_count",
    summary="How often thanks were said",
)
async def count(call: Call) -> int:
    return (await (await call.db()).execute(sa.select(sa.func.count(Thanks.notice)))).scalar_one()


@hookimpl
def routes() -> Sequence[HTTPRouteHandler]:
    return [count]


async def thank(context: Context, occurrence: Occurrence) -> None:
    """No guard against a second time: the core delivers once, and the primary key would show it if it did not."""
    await context.session.execute(sa.insert(Thanks).values(notice=UUID(occurrence.data["notice"])))


@hookimpl
def subscriptions() -> Sequence[Subscription]:
    return [Subscription("bulletin.posted.v1", thank)]


@hookimpl
async def demo_played(context: Context) -> Sequence[DemoLine]:
    if post := context.capabilities.get("notice.post"):  # only where somebody offers it
        await post(context, title="谢谢大家", body="感谢每一位老师和家长。")
        return [DemoLine(title=Text(zh="代发感谢公告", en="notices of thanks posted"), figure=1)]
    return [DemoLine(title=Text(zh="没有公告栏，未发感谢", en="no notice board here to say thanks on"), figure=0)]


@hookimpl
async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:  # noqa: ARG001 - thanks are nobody's
    return []


@hookimpl
async def person_erased(context: Context, person: UUID, here: bool) -> Sequence[Erased]:  # noqa: ARG001, FBT001 - as above
    return []

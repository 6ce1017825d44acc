"""`gongyu points vouchers …`: for the operator whom a school rings up about a lost sheet."""

from uuid import UUID

import click

from gongyu.access import audit as audit_log
from gongyu.cli.frame import confirm, operator, run, say
from gongyu.database.model import new_id
from gongyu.districts.service import DistrictError
from gongyu.events.outbox import work
from gongyu.platform import Platform
from gongyu.text import Text
from gongyu.web import ProblemError
from gongyu_points.vouchers import sheets, voiding
from gongyu_points.vouchers.schemas import VoidSheet

__all__ = ["vouchers"]


@click.group()
def vouchers() -> None:
    """积分券 · Paper vouchers."""


@vouchers.command("void")
@click.argument("district")
@click.argument("sheet", type=click.UUID)
@click.option("--yes", is_flag=True, help="不再询问 · do not ask")
def void(district: str, sheet: UUID, *, yes: bool) -> None:
    """作废一批未存入的积分券，退回额度 · Void what was not deposited of a sheet; its points go back."""

    async def ask(platform: Platform) -> int:
        state = platform.state(district)
        try:
            async with platform.database.read(state.district) as connection:
                head = await sheets.head(connection, state.district, sheet=sheet)
            words = Text(zh="作废 {school} 的这批积分券（{reason}）？", en="void this sheet of {school} ({reason})?")
            confirm(words.format(school=head.school, reason=Text(zh=head.reason_zh, en=head.reason_en)), yes=yes)
            async with work(platform, state) as session:
                context = platform.context("points", state, session)
                points, now = await voiding.void(context, new=VoidSheet(new_id()), sheet=sheet, actor=None)
                if now:
                    await audit_log.record(
                        session,
                        action="points.vouchers_voided",
                        actor=operator(),
                        subject=f"sheet:{sheet}",
                        details={"points": points},
                    )
        except ProblemError as error:
            raise DistrictError(error.detail or Text(zh="没有这批积分券", en="there is no such sheet")) from error
        return points

    say(Text(zh="退回 {n} 分", en="{n} points went back").format(n=run(ask)))

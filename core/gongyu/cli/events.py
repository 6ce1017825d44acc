"""`gongyu events …`: what waits, what was parked and why, and trying again."""

from datetime import UTC, datetime
from uuid import UUID

import click

from gongyu.cli.frame import run, say, table
from gongyu.events import outbox
from gongyu.events.admin import list_deliveries
from gongyu.events.admin import retry as retry_parked
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["events"]


@click.group()
def events() -> None:
    """事件：待送与搁置 · Events: what waits and what was parked."""


@events.command("list")
@click.argument("district")
@click.option("--pending", is_flag=True, help="列出待送的 · those that wait instead of those parked")
@click.option("--subscriber", help="只看这个插件 · only this plugin's")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
def list_(district: str, *, pending: bool, subscriber: str | None, limit: int) -> None:
    """列出搁置的事件及原因 · List parked events and why."""

    async def work(platform: Platform) -> None:
        async with platform.database.read(platform.state(district).district) as connection:
            found = await list_deliveries(
                connection, state="pending" if pending else "parked", subscriber=subscriber, limit=limit
            )
        table(
            [
                Text(zh="序号", en="seq"),
                Text(zh="事件", en="event"),
                Text(zh="订阅者", en="subscriber"),
                Text(zh="对象", en="subject"),
                Text(zh="次数", en="tries"),
                Text(zh="错误", en="error"),
            ],
            [(d.seq, d.type, d.subscriber, d.subject, d.attempts, d.error) for d in found],
        )

    run(work)


@events.command()
@click.argument("district")
@click.option("--subscriber", help="只重试这个插件的 · only this plugin's")
@click.option("--event", type=click.UUID, help="只重试这一个 · only this one")
def retry(district: str, subscriber: str | None, event: UUID | None) -> None:
    """重试搁置的事件 · Try parked events again."""

    async def work(platform: Platform) -> None:
        async with outbox.work(platform, platform.state(district)) as session:
            count = await retry_parked(session, now=datetime.now(UTC), subscriber=subscriber, event_id=event)
        say(Text(zh="{n} 个事件将重试", en="{n} events will be tried again").format(n=count))

    run(work)

"""What `gongyu doctor` looks at. Every finding says what to do."""

import os
import shutil
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.keys import KeysError
from gongyu.database.upgrade import districts_pending
from gongyu.districts.registry import DistrictState
from gongyu.events.admin import backlogs
from gongyu.events.jobs import list_jobs
from gongyu.events.models import PluginFailureRow
from gongyu.people.rights.periods import today_in
from gongyu.people.rights.reach import plugins_without_package
from gongyu.people.rights.reminders import waiting
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["Check", "PluginFailure", "checks", "plugin_failures"]

_LOW_DISK: Final = 2 * 1024**3
_NO_DISK: Final = 256 * 1024**2
_LATE: Final = timedelta(minutes=10)


class Check(msgspec.Struct, frozen=True):
    """One thing looked at; `cure` is what to do when `state` is not `ok`."""

    area: str
    state: Literal["ok", "warning", "error"]
    found: Text
    cure: Text = Text(zh="", en="")


class PluginFailure(msgspec.Struct, frozen=True):
    """How often a plugin's hook or job failed, and how it failed last."""

    plugin: str
    hook: str
    count: int
    error: str
    last_at: datetime


async def plugin_failures(connection: AsyncConnection) -> list[PluginFailure]:
    row = PluginFailureRow
    query = sa.select(row.plugin, row.hook, row.count, row.error, row.last_at).order_by(row.plugin, row.hook)
    return [PluginFailure(*found) for found in await connection.execute(query)]


async def checks(platform: Platform) -> AsyncGenerator[Check]:
    """All checks, the ground first."""
    async for check in _database(platform):
        yield check
    pending = await districts_pending(platform)
    yield _check(
        "migrations",
        "error" if pending else "ok",
        _both(", ".join(pending)) if pending else Text(zh="全部最新", en="all up to date"),
        Text(zh="执行 gongyu db upgrade", en="run gongyu db upgrade"),
    )
    for refusal in platform.host.refused.values():
        yield Check(
            f"plugin {refusal.name}",
            "error",
            refusal.reason,
            Text(zh="修复或卸载 {d}", en="repair or uninstall {d}").format(d=refusal.distribution),
        )
    yield _keys(platform)
    yield _disk(platform)
    for state in platform.registry.states.values():
        async for check in _district(platform, state):
            yield check


def _check(area: str, state: Literal["ok", "warning", "error"], found: Text, cure: Text) -> Check:
    return Check(area, state, found, cure if state != "ok" else Text(zh="", en=""))


def _both(text: object) -> Text:
    return Text(zh=str(text), en=str(text))


async def _database(platform: Platform) -> AsyncGenerator[Check]:
    before = datetime.now(UTC)
    async with platform.database.owner.connect() as connection:

        async def show(name: str) -> str:
            return str((await connection.execute(sa.text(f"SHOW {name}"))).scalar_one())

        version = await show("server_version")
        unsafe = [name for name in ("fsync", "synchronous_commit", "full_page_writes") if await show(name) == "off"]
        connections = int(await show("max_connections"))
        clock = (await connection.execute(sa.text("SELECT clock_timestamp()"))).scalar_one()
    after = datetime.now(UTC)
    yield Check("database", "ok", _both(f"PostgreSQL {version}"))
    yield _check(
        "durability",
        "error" if unsafe else "ok",
        _both(", ".join(f"{name}=off" for name in unsafe) or "fsync, synchronous_commit, full_page_writes"),
        Text(
            zh="打开这些设置，否则断电会丢数据",
            en="switch these on: without them a power cut loses what was acknowledged",
        ),
    )
    yield _check(
        "connections",
        "warning" if connections < 50 else "ok",  # noqa: PLR2004 - two workers' pools and some room
        _both(f"max_connections={connections}"),
        Text(zh="每个工作进程最多用 20 个连接", en="each worker process uses up to 20 connections"),
    )
    skew = max(timedelta(), before - clock, clock - after)
    yield _check(
        "clock",
        "warning" if skew > timedelta(seconds=2) else "ok",
        Text(zh="与数据库相差 {s:.1f} 秒", en="{s:.1f} s apart from the database").format(s=skew.total_seconds()),
        Text(zh="同步两台机器的时钟", en="synchronise the clocks of both machines"),
    )


def _keys(platform: Platform) -> Check:
    sample = b"doctor"
    try:
        sealed = platform.keys.encrypt("doctor", sample, context=sample)
        opened = platform.keys.decrypt("doctor", sealed, context=sample) == sample
    except KeysError as error:
        return Check("keys", "error", error.text, Text(zh="恢复密钥备份", en="restore the keys from their backup"))
    file = platform.config.data / "keys.json"
    open_to_others = "GONGYU_KEYS" not in os.environ and file.exists() and file.stat().st_mode & 0o077
    if not opened or open_to_others:
        return Check("keys", "error", _both(file), Text(zh="执行 chmod 600 {f}", en="run chmod 600 {f}").format(f=file))
    where = "GONGYU_KEYS" if "GONGYU_KEYS" in os.environ else file.name
    return Check("keys", "ok", Text(zh="{w}（请另存备份）", en="{w} (keep a backup elsewhere)").format(w=where))


def _disk(platform: Platform) -> Check:
    free = shutil.disk_usage(platform.config.data if platform.config.data.exists() else ".").free
    state: Literal["ok", "warning", "error"] = "error" if free < _NO_DISK else "warning" if free < _LOW_DISK else "ok"
    found = Text(zh="剩余 {g:.1f} GB", en="{g:.1f} GB free").format(g=free / 1024**3)
    return _check("disk", state, found, Text(zh="清理或扩容磁盘", en="free or add disk space"))


async def _district(platform: Platform, state: DistrictState) -> AsyncGenerator[Check]:
    slug, now = state.district.slug, datetime.now(UTC)
    for name in state.missing:
        yield Check(
            f"{slug} {name}",
            "error",
            Text(zh="已启用，但不可用", en="on, but not available"),
            Text(
                zh="安装它，或执行 gongyu district disable {s} {n}",
                en="install it, or run gongyu district disable {s} {n}",
            ).format(s=slug, n=name),
        )
    async with platform.database.read(state.district) as connection:
        for failure in await plugin_failures(connection):
            yield Check(
                f"{slug} {failure.plugin}",
                "warning",
                Text(zh="{hook} 失败 {n} 次，最近：{error}", en="{hook} failed {n} times, last: {error}").format(
                    hook=failure.hook, n=failure.count, error=failure.error
                ),
                Text(zh="把日志交给插件作者", en="give the log to the plugin's author"),
            )
        for name in await plugins_without_package(platform, connection, state.district):
            said = state.retention.get(name, {})
            kept = ", ".join(f"{name}.{category}" for category in said) or f"{name}.*"
            yield Check(
                f"{slug} retention {name}",
                "error",
                Text(
                    zh="保存期限类别 {kept} 无法执行：数据还在，插件 {name} 没有安装",
                    en="retention of {kept} cannot run: the data is here, plugin {name} is not installed",
                ).format(kept=kept, name=name),
                Text(
                    zh="安装它，或执行 gongyu plugin erase {name} {s}",
                    en="install it, or run gongyu plugin erase {name} {s}",
                ).format(name=name, s=slug),
            )
        requests = await waiting(connection, today=today_in(state.district, now))
        yield _check(
            f"{slug} requests",
            "error" if requests.overdue else "warning" if requests.due_soon else "ok",
            Text(zh="七天内到期 {due_soon}，逾期 {overdue}", en="{due_soon} due within a week, {overdue} late").format(
                **requests._asdict()
            ),
            Text(
                zh="请负责人答复（GET /api/v1/{s}/people/requests）；法定期限不能延长",
                en="have them answered (GET /api/v1/{s}/people/requests); the law sets the time",
            ).format(s=slug),
        )
        for line in await backlogs(connection):
            late = now - line.oldest > _LATE
            yield _check(
                f"{slug} events → {line.subscriber or '*'}",
                "error" if line.parked else "warning" if late or line.failing else "ok",
                Text(zh="待送 {p}，失败重试 {f}，搁置 {k}", en="{p} pending, {f} failing, {k} parked").format(
                    p=line.pending, f=line.failing, k=line.parked
                ),
                Text(
                    zh="看 gongyu events list {s}，修复后 gongyu events retry {s}；待送过久则检查服务是否在运行",
                    en="see gongyu events list {s}, mend, then gongyu events retry {s}; "
                    "if they only wait, is a server running?",
                ).format(s=slug),
            )
        for job in await list_jobs(connection, platform, state):
            late = job.next_at is not None and now - job.next_at > _LATE
            due = f"{job.next_at:%Y-%m-%d %H:%M}Z" if job.next_at else "—"
            last = f"{job.last_finished_at:%Y-%m-%d %H:%M}Z" if job.last_finished_at else "—"
            yield _check(
                f"{slug} job {job.plugin}.{job.name}",
                "error" if job.error else "warning" if late else "ok",
                Text(zh="上次 {last}，下次 {due} {error}", en="last {last}, next {due} {error}").format(
                    last=last, due=due, error=job.error or ""
                ),
                Text(zh="看日志；逾期则检查服务是否在运行", en="see the log; when overdue, is a server running?"),
            )

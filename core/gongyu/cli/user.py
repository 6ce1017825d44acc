"""`gongyu user …`: people's accounts from the terminal, so that a first administrator and a script need no browser."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gongyu.access import accounts, codes, tokens
from gongyu.access.authenticate import changed
from gongyu.access.operating import (
    Handed,
    add_person,
    find_class,
    find_org,
    find_person,
    hand_out_code,
    list_accounts,
)
from gongyu.access.passwords import Passwords
from gongyu.cli.frame import WRONG_INPUT, fail, operator, run, say, table
from gongyu.people.roster.oneroster import ROLES
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["show_code", "user"]


@click.group()
def user() -> None:
    """账号：创建、停用、重设、令牌、激活单 · Accounts: create, disable, reset, tokens, slips.

    PERSON 是 id、用户名、sourcedId 或编号 · is an id, user name, sourcedId or identifier.
    """


@user.command()
@click.argument("district")
@click.argument("person", required=False)
@click.option(
    "--username", help="用户名；不给则由本人激活时自选 · the user name; without it they choose one themselves"
)
@click.option("--name", help="新建人员的姓名 · of a person nobody knows yet")
@click.option("--role", type=click.Choice(ROLES), help="新建人员的角色 · their role")
@click.option("--org", help="任职机构，默认为区县 · where; the district unless said")
def create(
    district: str, person: str | None, *, username: str | None, name: str | None, role: str | None, org: str | None
) -> None:
    """创建账号，输出一次性激活码 · Give a person an account; prints a code for its first use."""
    if (person is None) == (name is None):
        fail(Text(zh="请指明 PERSON，或用 --name 新建人员", en="say PERSON, or --name for a new one"), WRONG_INPUT)
    if (name is None) != (role is None) or (org is not None and name is None):
        fail(Text(zh="--name 与 --role 须同时给出", en="--name and --role belong together"), WRONG_INPUT)

    async def work(platform: Platform) -> None:
        state, now = platform.state(district), datetime.now(UTC)
        async with platform.database.work(state.district) as session:
            if name is not None and role is not None:
                place = await find_org(session, org)
                found = await add_person(session, name=name, role=role, org=place, by=operator(), now=now)
            else:
                found = await find_person(session, person or "", keys=platform.keys)
            if username is not None:
                await accounts.create_account(
                    session,
                    passwords=Passwords(),
                    rules=state.access,
                    person=found,
                    username=username,
                    by=operator(),
                    now=now,
                )
            handed = await hand_out_code(
                session, keys=platform.keys, rules=state.access, person=found, by=operator(), now=now
            )
        click.echo(found)
        show_code(platform, district, handed)

    run(work)


@user.command()
@click.argument("district")
@click.argument("person")
def disable(district: str, person: str) -> None:
    """停用账号，立即生效 · Close an account at once: sessions end, tokens open nothing."""

    async def work(platform: Platform) -> None:
        state = platform.state(district)
        async with platform.database.work(state.district) as session:
            found = await find_person(session, person, keys=platform.keys)
            was_open = await accounts.disable_account(session, person=found, by=operator())
        await changed(platform, district)
        say(Text(zh="已停用", en="closed") if was_open else Text(zh="原已停用", en="it was closed already"))

    run(work)


@user.command()
@click.argument("district")
@click.argument("person")
def enable(district: str, person: str) -> None:
    """重新启用账号 · Open a closed account again."""

    async def work(platform: Platform) -> None:
        async with platform.database.work(platform.state(district).district) as session:
            was_closed = await accounts.enable_account(
                session, person=await find_person(session, person, keys=platform.keys), by=operator()
            )
        await changed(platform, district)
        say(Text(zh="已启用", en="open") if was_closed else Text(zh="没有停用的账号", en="there is no closed account"))

    run(work)


@user.command()
@click.argument("district")
@click.argument("person")
def reset(district: str, person: str) -> None:
    """输出重设密码的激活码 · Print a code with which a person chooses a new password; sessions and tokens end then."""

    async def work(platform: Platform) -> None:
        state = platform.state(district)
        async with platform.database.work(state.district) as session:
            handed = await hand_out_code(
                session,
                keys=platform.keys,
                rules=state.access,
                person=await find_person(session, person, keys=platform.keys),
                by=operator(),
                now=datetime.now(UTC),
            )
        show_code(platform, district, handed)
        say(
            Text(
                zh="改密码后，此人的登录与 API 令牌全部失效",
                en="With the new password all their sessions and API tokens end",
            )
        )

    run(work)


@user.command()
@click.argument("district")
@click.argument("person")
@click.option("--name", required=True, help="用途 · what it is for")
@click.option(
    "--scope", "scopes", multiple=True, required=True, help="权限或前缀，如 points.*，可重复；* 为不限 · repeatable"
)
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, tokens.LONGEST.days))
def token(district: str, person: str, name: str, scopes: tuple[str, ...], days: int) -> None:
    """为任何人制作 API 令牌，只显示一次 · Make an API token for anybody; it is shown once."""

    async def work(platform: Platform) -> None:
        tokens.check_known(scopes, platform.host.permissions)
        async with platform.database.work(platform.state(district).district) as session:
            text = await tokens.create_token(
                session,
                person=await find_person(session, person, keys=platform.keys),
                name=name,
                scopes=scopes,
                expires_at=datetime.now(UTC) + timedelta(days=days),
                by=operator(),
            )
        click.echo(text)

    run(work)


@user.command()
@click.argument("district")
@click.argument("class_", metavar="CLASS")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(["activation", "guardian"]), default="activation", show_default=True)
def slips(district: str, class_: str, target: Path, kind: str) -> None:
    """打印一个班的激活单或家长绑定单（PDF）· Slips with codes for a class, as a PDF to print and cut."""
    from gongyu.access.class_slips import EVERYWHERE, class_slips, printed  # noqa: PLC0415 - only here

    async def work(platform: Platform) -> None:
        state, now = platform.state(district), datetime.now(UTC)
        which: codes.Kind = "guardian" if kind == "guardian" else "activation"
        async with platform.database.work(state.district) as session:
            found = await class_slips(
                session,
                keys=platform.keys,
                rules=state.access,
                given=EVERYWHERE,
                class_id=await find_class(session, class_),
                kind=which,
                base=_base(platform),
                by=operator(),
                now=now,
            )
            if not found:
                fail(Text(zh="这个班没有需要打印的人", en="nobody of this class needs a slip"), WRONG_INPUT)
            # Written before the codes are committed: a code without its paper would only shut out an earlier one.
            await asyncio.to_thread(target.write_bytes, await printed(found, kind=which, created=now))
        say(Text(zh="已写入 {target}：{n} 张", en="{target} written: {n} slips").format(target=target, n=len(found)))

    run(work)


@user.command("list")
@click.argument("district")
@click.option("--role", type=click.Choice(ROLES), help="只看这个角色 · only this role")
@click.option("--org", help="只看这个机构 · only this org")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
def list_(district: str, role: str | None, org: str | None, limit: int) -> None:
    """列出人员与账号 · List people and their accounts."""

    async def work(platform: Platform) -> None:
        async with platform.database.work(platform.state(district).district) as session:
            place = None if org is None else await find_org(session, org)
            found = await list_accounts(session, role=role, org=place, limit=limit, now=datetime.now(UTC))
        heads = [
            Text(zh="id", en="id"),
            Text(zh="姓名", en="name"),
            Text(zh="用户名", en="user name"),
            Text(zh="状态", en="state"),
            Text(zh="角色", en="roles"),
            Text(zh="两步验证", en="second factor"),
            Text(zh="最近登录", en="last sign-in"),
        ]
        table(
            heads,
            [
                (
                    one.id,
                    one.name,
                    one.username,
                    _STATES.get(one.state or ""),
                    one.roles,
                    "✓" if one.second_factor else "",
                    f"{one.last_sign_in_at:%Y-%m-%d %H:%M}" if one.last_sign_in_at else "",
                )
                for one in found
            ],
        )

    run(work)


_STATES = {"active": Text(zh="启用", en="open"), "disabled": Text(zh="停用", en="closed")}


def show_code(platform: Platform, district: str, handed: Handed) -> None:
    """The code on a line of its own, and what to do with it."""
    from gongyu.access.class_slips import join_url  # noqa: PLC0415 - only here

    click.echo(handed.code)
    say(
        Text(
            zh="激活码只显示这一次，{until} 前有效。打开 {url} ，或："
            "POST {base}/api/v1/{slug}/activation {{code, username, password}}",
            en="This code is shown once and opens until {until}. Open {url} or "
            "POST {base}/api/v1/{slug}/activation {{code, username, password}}",
        ).format(
            until=f"{handed.expires_at:%Y-%m-%d %H:%M} UTC",
            url=join_url(_base(platform), district, handed.code),
            base=_base(platform),
            slug=district,
        )
    )


def _base(platform: Platform) -> str:
    return platform.config.public_url or "http://127.0.0.1:8000"

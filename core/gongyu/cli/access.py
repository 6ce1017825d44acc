"""`gongyu access …`: why somebody may or may not, and a district's keys."""

from datetime import UTC, datetime

import click

from gongyu.access import audit
from gongyu.access.authenticate import principal_of
from gongyu.access.operating import find_person
from gongyu.access.relations import why as explain
from gongyu.access.rotation import reseal
from gongyu.access.sign_in import day_of
from gongyu.cli.frame import WRONG_INPUT, fail, operator, run, say
from gongyu.platform import Platform
from gongyu.text import Text, language_of_environment

__all__ = ["access"]


@click.group()
def access() -> None:
    """权限与密钥 · Rights and keys."""


@access.command()
@click.argument("district")
@click.argument("user")
@click.argument("permission")
@click.argument("subject")
def why(district: str, user: str, permission: str, subject: str) -> None:
    """USER 为何能（或不能）对 SUBJECT 做某事 · Why may USER do this about SUBJECT, or why not?

    退出码：0 可以，1 不可以 · exit code: 0 allowed, 1 not.
    """

    async def work(platform: Platform) -> bool:
        state, now = platform.state(district), datetime.now(UTC)
        needed = platform.host.permissions.get(permission)
        if needed is None:
            known = ", ".join(sorted(platform.host.permissions))
            unknown = Text(zh="没有权限 {name}；现有：{known}", en="there is no permission {name}; there are: {known}")
            fail(unknown.format(name=permission, known=known), WRONG_INPUT)
        plugin = permission.partition(".")[0]
        if plugin in platform.host.plugins and plugin not in state.enabled:
            say(
                Text(zh="✗ 该区县没有启用插件 {name}", en="✗ plugin {name} is off in this district").format(name=plugin)
            )
            return False
        async with platform.database.work(state.district) as session:
            person, about = [await find_person(session, one, keys=platform.keys) for one in (user, subject)]
            principal = await principal_of(platform, state.district, person, now=now)
            if principal is None:
                say(
                    Text(
                        zh="✗ 此人现在进不来：账号停用，或已没有任职、也没有孩子",
                        en="✗ they cannot come in: the account is closed, or no membership and no child is left",
                    )
                )
                return False
            others = {one.title: one.students(principal.person, now) for one in platform.relations(state)}
            today = day_of(state.district, now)
            found = await explain(session, principal, needed, about, today=today, others=others)
        language = language_of_environment()
        click.echo(f"{'✓' if found.allowed else '✗'} {found.ground.pick(language)}")
        for relation in found.relations:
            say(Text(zh="  关系：{name}", en="  relation: {name}").format(name=relation))
        return found.allowed

    if not run(work):
        raise SystemExit(1)


@access.command("rotate-keys")
@click.argument("district")
@click.option(
    "--only-reseal",
    is_flag=True,
    help="不换新密钥，只把旧密钥封存的内容重新加密 · no new key: finish sealing what older ones sealed",
)
def rotate_keys(district: str, *, only_reseal: bool) -> None:
    """更换区县密钥并重新加密 · Give a district a fresh key, and seal everything with it.

    中断后用 --only-reseal 继续 · cut short? Go on with --only-reseal.
    """

    async def work(platform: Platform) -> None:
        state = platform.state(district)
        if not only_reseal:
            version = platform.keys.rotate(district)
            details = {"version": version}
            await audit.append(
                platform.database, state.district, action="keys.rotated", actor=operator(), details=details
            )
            say(
                Text(
                    zh="第 {v} 版密钥已生成；请备份 keys.json，旧密钥保留",
                    en="key version {v} is made; back keys.json up; older keys stay in it",
                ).format(v=version)
            )
        count = await reseal(platform, state.district, actor=operator())
        say(Text(zh="{n} 处内容已重新加密", en="{n} texts sealed anew").format(n=count))

    run(work)

"""Every way in which a plugin can fail to load: it is refused by name, in words, and everything else loads."""

import pytest

from gongyu import platform as _platform  # its models stand on the metadata once imported
from gongyu.database.model import Base, RegistryBase
from gongyu.host import Host, StartError, load_host
from gongyu.host.discovery import RESERVED
from gongyu.plugin import CONTRACT_VERSION

from .shelf import CARD, Shelf

_ = _platform

#: name of the case → (body, what is said in Chinese, in English)
BROKEN = {
    "raises": (
        'raise RuntimeError("no luck")',
        "它在加载时出错：RuntimeError: no luck",
        "it failed while loading: RuntimeError: no luck",
    ),
    "leaves": ("raise SystemExit(3)", "它在加载时出错：SystemExit: 3", "it failed while loading: SystemExit: 3"),
    "misses": (
        "import nowhere_to_be_found",
        "它在加载时出错：ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        "it failed while loading: ModuleNotFoundError: No module named 'nowhere_to_be_found'",
    ),
    "unknown_hook": (
        "@hookimpl\ndef pupil_was_praised(): ...",
        "没有名为 `pupil_was_praised` 的钩子",
        "there is no hook `pupil_was_praised`",
    ),
    "wrapper": (
        "@hookimpl(wrapper=True)\ndef jobs():\n    return (yield)",
        "钩子 `jobs` 不能是 wrapper",
        "hook `jobs` must not be a wrapper",
    ),
    "sync_hook": (
        "@hookimpl\ndef plugin_enabled(context): ...",
        "钩子 `plugin_enabled` 的 async 与契约不符",
        "hook `plugin_enabled` is async where the contract is not, or the reverse",
    ),
    "async_hook": (
        "@hookimpl\nasync def jobs(): ...",
        "钩子 `jobs` 的 async 与契约不符",
        "hook `jobs` is async where the contract is not, or the reverse",
    ),
    "failing_hook": (
        "@hookimpl\ndef jobs():\n    return 1 / 0",
        "它在加载时出错：ZeroDivisionError: division by zero",
        "it failed while loading: ZeroDivisionError: division by zero",
    ),
    "foreign_table": (
        '@hookimpl\ndef tables():\n    return sa.Table("person", sa.MetaData()).metadata',
        "这些名字不属于插件 foreign_table，或格式不对：person",
        "these names do not belong to plugin foreign_table, or are malformed: person",
    ),
    "foreign_event": (
        (
            "class Said(Event, frozen=True):\n"
            '    type: ClassVar[str] = "sound.said.v1"\n'
            "class Unversioned(Event, frozen=True):\n"
            '    type: ClassVar[str] = "foreign_event.said"\n'
            "@hookimpl\ndef event_types():\n    return [Said, Unversioned]"
        ),
        "这些名字不属于插件 foreign_event，或格式不对：sound.said.v1, foreign_event.said",
        "these names do not belong to plugin foreign_event, or are malformed: sound.said.v1, foreign_event.said",
    ),
    "foreign_permission": (
        '@hookimpl\ndef permissions():\n    return [Permission("district.audit.read", Text(zh="", en=""))]',
        "这些名字不属于插件 foreign_permission，或格式不对：district.audit.read",
        "these names do not belong to plugin foreign_permission, or are malformed: district.audit.read",
    ),
    "two_permissions": (
        (
            'MINE = Permission("two_permissions.a.read", Text(zh="", en=""))\n'
            "@hookimpl\ndef permissions():\n    return [MINE, MINE]"
        ),
        "权限重复：two_permissions.a.read",
        "the same permission twice: two_permissions.a.read",
    ),
    "two_events": (
        (
            "class Said(Event, frozen=True):\n"
            '    type: ClassVar[str] = "two_events.said.v1"\n'
            "@hookimpl\ndef event_types():\n    return [Said, Said]"
        ),
        "事件重复：two_events.said.v1",
        "the same event twice: two_events.said.v1",
    ),
    "two_jobs": (
        (
            'async def tidy(context): ...\nTIDY = Job("tidy", Text(zh="", en=""), tidy, every="daily")\n'
            "@hookimpl\ndef jobs():\n    return [TIDY, TIDY]"
        ),
        "定时任务重复：tidy",
        "the same job twice: tidy",
    ),
    "two_subscriptions": (
        (
            'async def hear(context, occurrence): ...\nHEAR = Subscription("sound.said.v1", hear)\n'
            "@hookimpl\ndef subscriptions():\n    return [HEAR, HEAR]"
        ),
        "两次订阅了事件 sound.said.v1",
        "it subscribes to sound.said.v1 twice",
    ),
    "two_routes": (
        (
            '@get("/a/{one:int}", permission=Public("a trial"))\nasync def first(one: int) -> None: ...\n'
            '@get("/a/{two:str}", permission=Public("a trial"))\nasync def second(two: str) -> None: ...\n'
            "@hookimpl\ndef routes():\n    return [first, second]"
        ),
        "路由重复：GET /a/{}",
        "the same route twice: GET /a/{}",
    ),
    "enabled_setting": (
        (
            "class Settings(msgspec.Struct, frozen=True):\n    enabled: bool = True\n"
            "@hookimpl\ndef settings_type():\n    return Settings"
        ),
        "设置里不能有名为 enabled 的字段，每个字段都要有默认值（缺：—）",
        "settings must not have a field called enabled, and every field needs a default (without: —)",
    ),
    "required_settings": (
        (
            "class Settings(msgspec.Struct, frozen=True):\n    most: int\n    least: int = 1\n"
            "@hookimpl\ndef settings_type():\n    return Settings"
        ),
        "设置里不能有名为 enabled 的字段，每个字段都要有默认值（缺：most）",
        "settings must not have a field called enabled, and every field needs a default (without: most)",
    ),
}

#: The same for what is found out before anything of the plugin is run: here with what `install` is given.
UNREAD = {
    "too_new": (
        {"contract": ">=2"},
        f"它支持的契约版本是 >=2，本平台提供的是 {CONTRACT_VERSION}",
        f"it supports contract >=2, this platform has {CONTRACT_VERSION}",
    ),
    "no_range": (
        {"contract": "the newest"},
        f"它支持的契约版本是 the newest，本平台提供的是 {CONTRACT_VERSION}",
        f"it supports contract the newest, this platform has {CONTRACT_VERSION}",
    ),
    "hungry": (
        {
            "packages": [
                "nowhere-to-be-found>=3",
                "msgspec<0.1",
                'never-asked; python_version < "3"',
                "extra; extra == 'x'",
            ]
        },
        "缺少依赖包：nowhere-to-be-found>=3, msgspec<0.1 ({msgspec})；请执行 pip install 'trial-hungry'",
        (
            "packages it depends on are missing: nowhere-to-be-found>=3, msgspec<0.1 ({msgspec});"
            " run pip install 'trial-hungry'"
        ),
    ),
    "unreadable": (
        {"packages": ["one two three"]},
        "缺少依赖包：one two three；请执行 pip install 'trial-unreadable'",
        "packages it depends on are missing: one two three; run pip install 'trial-unreadable'",
    ),
    "cardless": (
        {"card": ""},
        "trial_cardless.plugin 里没有 `INFO = PluginInfo(…)`",
        "trial_cardless.plugin has no `INFO = PluginInfo(…)`",
    ),
    "made_up": (
        {"card": 'INFO = PluginInfo(name="made" + "_up", title=Text(zh="", en=""), contract=">=1")'},
        "trial_made_up.plugin 里的 INFO 有误：{binop}",
        "INFO in trial_made_up.plugin is wrong: {binop}",
    ),
    "half_a_card": (
        {"card": 'INFO = PluginInfo(name="half_a_card", title=Text(zh="", en=""))'},
        "trial_half_a_card.plugin 里的 INFO 有误：Object missing required field `contract`",
        "INFO in trial_half_a_card.plugin is wrong: Object missing required field `contract`",
    ),
    "pseudonym": (
        {"card": CARD.replace("{name}", "other")},
        "名片上的名字 `other` 与入口点 `pseudonym` 不同，或不合规则 [a-z][a-z0-9_]{{1,30}}",
        (
            "the name on its card, `other`, is not its entry point's, `pseudonym`,"
            " or breaks the rule [a-z][a-z0-9_]{{1,30}}"
        ),
    ),
    "Loud": (
        {},
        "名片上的名字 `Loud` 与入口点 `Loud` 不同，或不合规则 [a-z][a-z0-9_]{{1,30}}",
        "the name on its card, `Loud`, is not its entry point's, `Loud`, or breaks the rule [a-z][a-z0-9_]{{1,30}}",
    ),
    "events": ({}, "名字 `events` 由平台保留", "the name `events` is the platform's own"),
    "care": (
        {},
        "名字 `care` 由平台保留",
        "the name `care` is the platform's own",
    ),
    "garbled": (
        {"card": "INFO = = 1"},
        "无法读取 trial_garbled.plugin：invalid syntax (plugin.py, line 14)",
        "trial_garbled.plugin cannot be read: invalid syntax (plugin.py, line 14)",
    ),
    "lonely": (
        {"requires": ["absent", "sound"]},
        "它需要的插件不可用：absent",
        "it requires plugins that are not available: absent",
    ),
    "hen": (
        {"requires": ["egg"]},
        "它需要的插件不可用：egg",
        "it requires plugins that are not available: egg",
    ),
    "egg": (
        {"requires": ["hen"]},
        "它需要的插件不可用：hen",
        "it requires plugins that are not available: hen",
    ),
}


def refusals(host: Host) -> dict[str, tuple[str, str]]:
    return {name: (refusal.reason.zh, refusal.reason.en) for name, refusal in host.refused.items()}


def test_plugins_that_break_when_run_are_refused_by_name_and_the_rest_loads(shelf: Shelf) -> None:
    shelf.install("sound")
    shelf.install("zealous", requires=["raises"])
    for name, (body, _, _) in BROKEN.items():
        shelf.install(name, body)
    host = shelf.load()
    assert list(host.plugins) == ["sound"]
    needy = ("它需要的插件不可用：raises", "it requires plugins that are not available: raises")
    assert refusals(host) == {name: (zh, en) for name, (_, zh, en) in BROKEN.items()} | {"zealous": needy}
    assert "trial_zealous" not in shelf.imported()
    assert [plugin for plugin, _ in host.manager.list_name_plugin()] == ["sound"]
    with_traceback = {name for name, refusal in host.refused.items() if refusal.traceback}
    assert with_traceback == {"raises", "leaves", "misses", "failing_hook"}


def test_plugins_that_do_not_fit_are_refused_by_name_and_never_run(shelf: Shelf) -> None:
    import msgspec  # noqa: PLC0415 - only for its version

    shelf.install("sound")
    for name, (spoiled, _, _) in UNREAD.items():
        shelf.install(name, **spoiled)  # type: ignore[arg-type]  # each case spoils another argument
    host = shelf.load()
    assert list(host.plugins) == ["sound"]
    binop = refusals(host)["made_up"][1].partition("is wrong: ")[2]
    assert binop.startswith("malformed node or string")
    versions = {"msgspec": msgspec.__version__, "binop": binop}
    assert refusals(host) == {
        name: (zh.format(**versions), en.format(**versions)) for name, (_, zh, en) in UNREAD.items()
    }
    assert shelf.imported() == {"trial_sound"}
    assert not any(refusal.traceback for refusal in host.refused.values())


def test_two_packages_of_one_name_are_both_refused(shelf: Shelf) -> None:
    shelf.install("sound")
    shelf.install("twin", distribution="first-twin")
    shelf.install("twin", distribution="second-twin")
    host = shelf.load()
    assert refusals(host) == {
        "twin": (
            "有两个已安装的包都叫这个名字，无法判断该用哪个；请卸载其中一个：first-twin, second-twin",
            (
                "two installed packages carry this name and nobody can say which is meant;"
                " uninstall one: first-twin, second-twin"
            ),
        )
    }
    assert shelf.imported() == {"trial_sound"}


def test_overlapping_table_prefix_is_refused(shelf: Shelf) -> None:
    shelf.install("visit")
    shelf.install("visit_list")
    shelf.install("visits")
    host = shelf.load()
    assert list(host.plugins) == ["visit", "visits"]
    assert refusals(host) == {
        "visit_list": (
            "它的表前缀 `visit_list_` 与插件 visit 的前缀重叠",
            "its table prefix `visit_list_` overlaps that of plugin visit",
        )
    }


def test_no_plugin_may_be_called_like_the_beginning_of_a_core_table() -> None:
    """Its prefix would make the core's table its own: `plugin erase care` would drop `care_category`."""
    names = [*Base.metadata.tables, *RegistryBase.metadata.tables]
    beginnings = {name[:at] for name in names for at, letter in enumerate(name) if letter == "_"}
    assert beginnings <= RESERVED


def test_plugins_start_after_those_they_require_and_else_by_name(shelf: Shelf) -> None:
    shelf.install("alpha", requires=["omega"])
    shelf.install("beta")
    shelf.install("omega", requires=["psi"])
    shelf.install("psi")
    assert list(shelf.load().plugins) == ["beta", "psi", "omega", "alpha"]
    assert list(shelf.load(only=["omega"]).plugins) == ["psi", "omega"]


def test_strict_stops_at_the_first_refusal(shelf: Shelf) -> None:
    shelf.install("broken", 'raise RuntimeError("no luck")')
    with pytest.raises(StartError) as stopped:
        shelf.load(strict=True)
    assert (stopped.value.text.zh, stopped.value.text.en) == (
        "插件 broken 不可用：它在加载时出错：RuntimeError: no luck",
        "plugin broken is not available: it failed while loading: RuntimeError: no luck",
    )


@pytest.mark.parametrize("permission", ["", ', permission="sound.a.read"', ", permission=['open.a.read']"])
def test_route_without_a_permission_of_its_own_stops_the_start(shelf: Shelf, permission: str) -> None:
    shelf.install("sound", '@hookimpl\ndef permissions():\n    return [Permission("sound.a.read", Text(zh="", en=""))]')
    shelf.install(
        "open", f'@get("/a"{permission})\nasync def a() -> None: ...\n@hookimpl\ndef routes():\n    return [a]'
    )
    with pytest.raises(StartError) as stopped:
        shelf.load()
    assert (stopped.value.text.zh, stopped.value.text.en) == (
        "插件 open 的路由 ['GET'] ['/a'] 没有声明权限（permission=…）",
        "route ['GET'] ['/a'] of plugin open declares no permission (permission=…)",
    )


def test_two_providers_of_one_capability_stop_the_start(shelf: Shelf) -> None:
    offer = (
        "async def speak(context): ...\n"
        '@hookimpl\ndef capabilities():\n    return [Capability("notice.post", Text(zh="", en=""), speak)]'
    )
    shelf.install("one", offer)
    shelf.install("other", offer)
    with pytest.raises(StartError) as stopped:
        shelf.load()
    assert (stopped.value.text.zh, stopped.value.text.en) == (
        "插件 one 与 other 都提供能力 notice.post",
        "plugins one and other both provide capability notice.post",
    )


def test_contributions_of_a_stranger_are_all_collected(shelf: Shelf) -> None:
    """As complete as the sample plugins, but found on a path nobody prepared: the way in for everybody is the same."""
    shelf.install(
        "stranger",
        "class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):\n    most: int = 3\n"
        "@hookimpl\ndef settings_type():\n    return Settings\n"
        "class Said(Event, frozen=True):\n"
        '    type: ClassVar[str] = "stranger.said.v1"\n    title: ClassVar[Text] = Text(zh="说", en="Said")\n'
        "@hookimpl\ndef event_types():\n    return [Said]\n"
        '@hookimpl(specname="permissions")\ndef my_rights():\n'
        '    return [Permission("stranger.a.read", Text(zh="读", en="Read"))]\n'
        '@get("/a", permission="stranger.a.read")\nasync def a() -> None: ...\n'
        "@hookimpl\ndef routes():\n    return [a]",
    )
    plugin = shelf.load().plugins["stranger"]
    assert (plugin.distribution, plugin.version, plugin.migrations) == ("trial-stranger", "1.2", None)
    assert plugin.settings_type is not None
    assert plugin.settings_type.__struct_fields__ == ("most",)
    assert [event.type for event in plugin.event_types] == ["stranger.said.v1"]
    assert [permission.name for permission in plugin.permissions] == ["stranger.a.read"]
    assert [sorted(handler.paths) for handler in plugin.routes] == [["/a"]]


def test_nothing_is_left_of_one_host_in_another(shelf: Shelf) -> None:
    shelf.install("sound")
    first = shelf.load()
    second = load_host(entry_points=[])
    assert (list(first.plugins), list(second.plugins)) == (["sound"], [])
    assert second.manager.list_name_plugin() == []

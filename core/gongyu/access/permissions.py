"""The core's own permissions."""

from typing import Final

from gongyu.plugin import Permission
from gongyu.text import Text

__all__ = ["CORE_PERMISSIONS", "DISTRICT_WIDE"]

CORE_PERMISSIONS: Final = (
    Permission("district.webhook.manage", Text(zh="管理 Webhook", en="Manage webhooks"), ("districtAdministrator",)),
    Permission(
        "district.health.read",
        Text(zh="查看运行状况", en="See how the district is running"),
        ("districtAdministrator",),
    ),
    Permission("district.roster.manage", Text(zh="导入名册", en="Import rosters"), ("districtAdministrator",)),
    Permission(
        "district.rights.decide",
        Text(zh="答复更正与删除请求", en="Answer requests for correction and erasure"),
        ("districtAdministrator", "principal"),
        sensitive=True,
    ),
    Permission(
        "district.account.manage",
        Text(zh="管理账号", en="Manage accounts"),
        ("districtAdministrator", "siteAdministrator"),
    ),
    Permission(
        "district.code.issue",
        Text(zh="打印激活单与家长绑定单", en="Print activation and guardian slips"),
        ("districtAdministrator", "siteAdministrator", "principal"),
    ),
    Permission("district.audit.read", Text(zh="查看审计日志", en="Read the audit log"), ("districtAdministrator",)),
)

#: What concerns the district as one: a role held in a school, whatever it is called there, gives none of it.
DISTRICT_WIDE: Final = frozenset(
    {"district.audit.read", "district.health.read", "district.roster.manage", "district.webhook.manage"}
)

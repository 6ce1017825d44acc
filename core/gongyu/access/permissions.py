"""The core's own permissions."""

from typing import Final

from gongyu.plugin import Permission
from gongyu.text import Text

__all__ = ["CORE_PERMISSIONS"]

CORE_PERMISSIONS: Final = (
    Permission("district.webhook.manage", Text(zh="管理 Webhook", en="Manage webhooks"), ("districtAdministrator",)),
    Permission(
        "district.health.read",
        Text(zh="查看运行状况", en="See how the district is running"),
        ("districtAdministrator",),
    ),
    Permission("district.roster.manage", Text(zh="导入名册", en="Import rosters"), ("districtAdministrator",)),
)

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
        "district.approval.decide",
        Text(zh="审批对未成年人信息的访问", en="Approve access to minors' data"),
        ("districtAdministrator", "principal"),
        sensitive=True,
    ),
    Permission(
        "district.consent.record",
        Text(zh="登记纸质同意书", en="Enter consents signed on paper"),
        ("districtAdministrator", "siteAdministrator", "principal"),
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
    Permission(
        "district.growth_record.read",
        Text(zh="看本人、子女、所教学生的成长档案", en="See the growth record of oneself, one's child, one's students"),
        ("student", "guardian", "teacher", "counselor", "aide", "principal", "siteAdministrator"),
    ),
    Permission(
        "district.indicator.read",
        Text(zh="看学校与全区的指标", en="See the figures of schools and district"),
        ("principal", "siteAdministrator", "districtAdministrator"),
    ),
    Permission(
        "district.audit.read",
        Text(zh="查看审计日志", en="Read the audit log"),
        ("districtAdministrator",),
        sensitive=True,
    ),
    Permission(
        "district.audit.export",
        Text(zh="导出审计日志", en="Take the audit log out"),
        ("districtAdministrator",),
        sensitive=True,
        approval=True,  # in bulk, and beyond anybody's daily work: 未网条例 36
    ),
)

#: What concerns the district as one: a role held in a school, whatever it is called there, gives none of it.
DISTRICT_WIDE: Final = frozenset(
    {
        "district.audit.export",
        "district.audit.read",
        "district.health.read",
        "district.roster.manage",
        "district.webhook.manage",
    }
)

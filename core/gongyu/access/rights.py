"""The verdict: default deny, roles within their org, tokens only narrow. Pure, and cheap enough for every request."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gongyu.access.permissions import DISTRICT_WIDE
from gongyu.access.principal import Principal
from gongyu.plugin import Permission
from gongyu.text import Text

__all__ = ["FAMILY", "Verdict", "in_scope", "out_of_scope", "verdict"]

#: OneRoster 1.2 (Information Model, role vocabulary) has three words for the adult of a child, and each source uses its
#: own: for rights they are one. A permission that names one of them is held by all.
FAMILY: Final = frozenset({"guardian", "parent", "relative"})

_NOWHERE: Final[frozenset[UUID]] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether, why, and where.

    Attributes:
        orgs: The orgs it holds for, to be put into the query; None is everywhere in the district.
    """

    allowed: bool
    ground: Text
    orgs: frozenset[UUID] | None

    def covers(self, org: UUID) -> bool:
        return self.allowed and (self.orgs is None or org in self.orgs)


def verdict(principal: Principal, permission: Permission) -> Verdict:
    """What a person may do with a permission by their roles. Relations (guardian of …) are answered by SQL instead."""
    name = permission.name
    if not in_scope(principal.scopes, name):
        return Verdict(allowed=False, ground=out_of_scope(name), orgs=_NOWHERE)
    whole = name in DISTRICT_WIDE
    family = not FAMILY.isdisjoint(permission.roles)
    held = [
        one
        for one in principal.memberships
        if (one.role in permission.roles or (family and one.role in FAMILY)) and (one.everywhere or not whole)
    ]
    if not held:
        roles = ", ".join(permission.roles) or "—"
        ground = Text(zh=f"{name} 需要角色：{roles}", en=f"{name} needs one of the roles: {roles}")
        if whole:
            ground = Text(zh=f"{ground.zh}（全区）", en=f"{ground.en} (of the whole district)")
        return Verdict(allowed=False, ground=ground, orgs=_NOWHERE)
    for membership in held:
        if membership.everywhere:
            role = membership.role
            return Verdict(
                allowed=True, ground=Text(zh=f"全区的 {role}", en=f"{role} of the whole district"), orgs=None
            )
    roles = ", ".join(sorted({membership.role for membership in held}))
    orgs = held[0].orgs if len(held) == 1 else frozenset[UUID]().union(*(membership.orgs for membership in held))
    return Verdict(allowed=True, ground=Text(zh=f"本机构的 {roles}", en=f"{roles} of the org"), orgs=orgs)


def in_scope(scopes: frozenset[str] | None, name: str) -> bool:
    """Whether a token's scopes let a permission through: named itself, or under a prefix such as `points.*`."""
    if scopes is None or name in scopes:
        return True
    return any(scope.endswith(".*") and name.startswith(scope[:-1]) for scope in scopes)


def out_of_scope(name: str) -> Text:
    """Why a token does not open it."""
    return Text(zh=f"令牌的范围不含 {name}", en=f"the token's scope leaves out {name}")

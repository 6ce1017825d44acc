"""What a district decides about signing in; everything has a safe default."""

from datetime import timedelta
from typing import Final, Literal

import msgspec

__all__ = ["ADMINISTRATORS", "AccessRules"]

#: The OneRoster 1.2 roles that run things for others.
ADMINISTRATORS: Final = frozenset({"districtAdministrator", "siteAdministrator", "systemAdministrator", "principal"})


class AccessRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A district's rules of access.

    Attributes:
        password_policy: `asvs` (OWASP ASVS 5.0: long, not common, no forced change), or `mlps3` for a site under
            GB/T 22239 level 3, whose complexity and periodic change contradict it.
        second_factor: Whether administrators need a second factor; who has set one up always uses it.
        idle_minutes: A browser's session ends after so long without a request (GB/T 22239 身份鉴别 b).
        session_hours: And after so long in any case.
        code_days: How long a printed code can be used.
    """

    password_policy: Literal["asvs", "mlps3"] = "asvs"  # noqa: S105 - the name of a policy
    second_factor: bool = False
    idle_minutes: int = 30
    session_hours: int = 12
    code_days: int = 30

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def longest(self) -> timedelta:
        return timedelta(hours=self.session_hours)

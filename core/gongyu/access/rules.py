"""What a district decides about signing in; everything has a safe default. The table `[access]` of its file."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from gongyu.access.passwords import longest_age
from gongyu.districts.settings import SECRET
from gongyu.text import Text

__all__ = ["ADMINISTRATORS", "AccessRules", "OidcProvider"]

#: The OneRoster 1.2 roles that run things for others.
ADMINISTRATORS: Final = frozenset({"districtAdministrator", "siteAdministrator", "systemAdministrator", "principal"})

_HTTPS: Final = Meta(
    pattern=r"^https://[^\s/?#]+[^\s?#]*\Z",  # OpenID Connect Discovery 1.0, 3: no query, no fragment
    extra={"expected": Text(zh="https:// 开头的地址", en="an address that begins with https://")},
)


class OidcProvider(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sign-in service that a district trusts.

    Attributes:
        issuer: Its address, exactly as it names itself.
        client_id: What it calls us.
        client_secret: Empty for a public client.
        sourced_id_claim: A claim that carries the roster's `sourcedId`, where the service is the district's own
            directory; without it a person is bound by an activation code.
    """

    issuer: Annotated[str, _HTTPS]
    client_id: Annotated[str, Meta(min_length=1)]
    client_secret: Annotated[str, SECRET] = ""
    scopes: tuple[str, ...] = ("openid",)
    sourced_id_claim: str | None = None


class AccessRules(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A district's rules of access.

    Attributes:
        password_policy: `asvs` (OWASP ASVS 5.0: long, not common, no forced change), or `mlps3` for a site under
            GB/T 22239 level 3, whose complexity and periodic change contradict it.
        password_days: After so many days a new password is asked for; where nothing is said, by the policy: 90 days, or
            never.
        second_factor: Whether administrators need a second factor; who has set one up always uses it.
        idle_minutes: A browser's session ends after so long without a request (GB/T 22239 身份鉴别 b).
        session_hours: And after so long in any case.
        code_days: How long a printed code can be used.
        audit_days: How long audit lines are kept; 网络安全法 art. 21 wants six months at least.
        oidc: The district's own sign-in service, if it has one.
    """

    password_policy: Literal["asvs", "mlps3"] = "asvs"  # noqa: S105 - the name of a policy
    password_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    second_factor: bool = False
    idle_minutes: Annotated[int, Meta(ge=1, le=24 * 60)] = 30
    session_hours: Annotated[int, Meta(ge=1, le=30 * 24)] = 12
    code_days: Annotated[int, Meta(ge=1, le=365)] = 30
    audit_days: Annotated[int, Meta(ge=180, le=36_500)] = 730
    oidc: OidcProvider | None = None

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def longest(self) -> timedelta:
        return timedelta(hours=self.session_hours)

    @property
    def password_age(self) -> timedelta | None:
        return timedelta(days=self.password_days) if self.password_days else longest_age(self.password_policy)

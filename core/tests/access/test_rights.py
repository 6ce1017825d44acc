import timeit
from uuid import UUID

import pytest

from gongyu.access.principal import Membership, Principal
from gongyu.access.rights import verdict
from gongyu.plugin import Permission
from gongyu.text import Text

TITLE = Text(zh="看公告", en="Read notices")
READ = Permission("bulletin.notice.read", title=TITLE, roles=("teacher", "principal", "districtAdministrator"))
NOBODYS = Permission("bulletin.notice.burn", title=TITLE)

SCHOOL, GRADE, OTHER, ROOT = (UUID(int=number) for number in range(1, 5))
TEACHER = Membership("teacher", SCHOOL, frozenset({SCHOOL, GRADE}), everywhere=False)
ELSEWHERE = Membership("principal", OTHER, frozenset({OTHER}), everywhere=False)
PUPIL = Membership("student", ROOT, frozenset({ROOT, SCHOOL, GRADE, OTHER}), everywhere=True)
ADMIN = Membership("districtAdministrator", ROOT, frozenset({ROOT, SCHOOL, GRADE, OTHER}), everywhere=True)


def who(*memberships: Membership, scopes: frozenset[str] | None = None) -> Principal:
    return Principal(UUID(int=9), "张三", memberships, scopes, "token:1")


NONE: frozenset[UUID] = frozenset()
NEEDS = "needs one of the roles: teacher, principal, districtAdministrator"
SCOPE = "the token's scope leaves out bulletin.notice.read"


@pytest.mark.parametrize(
    ("principal", "permission", "orgs", "ground"),
    [
        (who(), READ, NONE, NEEDS),
        (who(PUPIL), READ, NONE, NEEDS),
        (who(ADMIN), NOBODYS, NONE, "needs one of the roles: —"),
        (who(ADMIN, scopes=frozenset()), READ, NONE, SCOPE),
        (who(ADMIN, scopes=frozenset({"points.*"})), READ, NONE, SCOPE),
        (who(ADMIN, scopes=frozenset({"bulletin.notice"})), READ, NONE, SCOPE),
        (who(ADMIN, scopes=frozenset({"bull.*"})), READ, NONE, SCOPE),
        (who(PUPIL, scopes=frozenset({READ.name})), READ, NONE, NEEDS),
        (who(TEACHER, scopes=frozenset({"bulletin.*"})), READ, {SCHOOL, GRADE}, "teacher of the org"),
        (who(TEACHER, scopes=frozenset({READ.name})), READ, {SCHOOL, GRADE}, "teacher of the org"),
        (who(TEACHER), READ, {SCHOOL, GRADE}, "teacher of the org"),
        (who(TEACHER, ELSEWHERE), READ, {SCHOOL, GRADE, OTHER}, "principal, teacher of the org"),
        (who(PUPIL, TEACHER), READ, {SCHOOL, GRADE}, "teacher of the org"),
        (who(TEACHER, ADMIN), READ, None, "districtAdministrator of the whole district"),
    ],
)
def test_verdict_denies_by_default_and_names_its_ground(
    principal: Principal, permission: Permission, orgs: frozenset[UUID] | None, ground: str
) -> None:
    found = verdict(principal, permission)
    assert (found.allowed, found.orgs) == (orgs != NONE, orgs)
    assert found.ground.en.endswith(ground)
    assert found.covers(OTHER) is (orgs is None or OTHER in orgs)


def test_verdict_costs_microseconds() -> None:
    person = who(PUPIL, TEACHER, scopes=frozenset({"bulletin.*"}))
    assert (
        min(timeit.repeat(lambda: verdict(person, READ), number=1000, repeat=5)) < 0.05
    )  # 50 µs each, ten times what it takes

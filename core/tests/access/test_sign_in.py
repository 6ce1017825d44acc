"""The door: who gets a session, who does not, and what neither can find out."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyotp
import pytest
import sqlalchemy as sa

from gongyu.access import accounts, attempts, second_factor, sessions
from gongyu.access.attempts import Limits, TooManyAttemptsError
from gongyu.access.authenticate import changed
from gongyu.access.models import Account, FormerPassword, SignInAttempt, WebSession
from gongyu.access.rules import AccessRules
from gongyu.access.sign_in import SignedInAs, SignIn, SignInRefusedError, Visitor
from gongyu.people.models import Membership

if TYPE_CHECKING:
    from tests.access.conftest import Scene

RIGHT = "correct horse battery"
RULES = AccessRules()
HOME = Visitor(address="203.0.113.7")
listening = pytest.mark.usefixtures("signals")


async def enter(
    scene: "Scene",
    username: str = "shi",
    password: str = RIGHT,
    *,
    rules: AccessRules = RULES,
    cookie: str | None = None,
    address: str = HOME.address,
) -> SignedInAs:
    door = SignIn(scene.platform, scene.passwords)
    visitor = Visitor(address=address, cookie=cookie)
    return await door.by_password(
        scene.state.district, rules, visitor, username=username, password=password, now=scene.clock.now
    )


async def who(scene: "Scene", cookie: str) -> UUID | None:
    found = await scene.authenticator.principal(scene.state, None, cookie)
    return found.person if found else None


async def test_wrong_name_wrong_password_and_closed_account_get_one_answer_for_the_same_work(scene: "Scene") -> None:
    people = scene.people
    await scene.account(people.teacher, "shi")
    await scene.account(people.student, "closed")
    await scene.account(people.principal, "nopassword", None)
    await scene.account(people.admin, "left")
    async with scene.work() as session:
        await accounts.disable_account(session, person=people.student, by="operator:test")
        gone = sa.update(Membership).where(Membership.person_id == people.admin).values(ends_on=scene.long_ago)
        await session.execute(gone)
    seen = set()
    await scene.passwords.matches(None, "x")
    door = SignIn(scene.platform, scene.passwords)
    await door.passwords.matches(None, "x")  # what it makes once at its first use is no part of an answer
    for username, password in (
        ("nobody", RIGHT),
        ("shi", "wrong"),
        ("shi", ""),
        ("closed", RIGHT),
        ("closed", "wrong"),
        ("nopassword", RIGHT),
        ("left", RIGHT),
        ("' OR 1=1 --", "\ud800\0"),
        ("\0\ud800", RIGHT),
    ):
        before = scene.hashed.worked
        with scene.counted() as statements, pytest.raises(SignInRefusedError) as refused:
            await door.by_password(
                scene.state.district, RULES, HOME, username=username, password=password, now=scene.clock.now
            )
        seen.add((str(refused.value), scene.hashed.worked - before, tuple(statements)))
    ((_, hashed, _statements),) = seen
    assert hashed == 1
    refusals = await scene.audited("sign_in.refused")
    assert len(refusals) == 9
    assert RIGHT not in str([line.details for line in refusals])


@listening
async def test_session_ends_at_once_when_the_account_is_closed(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    through = await enter(scene, " ＳＨＩ ")  # full width, capitals and spaces are the same name
    assert await who(scene, through.cookie) == scene.people.teacher
    async with scene.work() as session:
        await accounts.disable_account(session, person=scene.people.teacher, by="operator:test")
    await changed(scene.platform, "ezhou")
    assert await who(scene, through.cookie) is None
    async with scene.work() as session:
        await accounts.enable_account(session, person=scene.people.teacher, by="operator:test")
    await changed(scene.platform, "ezhou")
    assert await who(scene, through.cookie) is None  # opening it again revives no session
    assert await who(scene, (await enter(scene)).cookie) == scene.people.teacher


@listening
async def test_session_ends_after_idling_and_after_its_longest_time(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    cookie = (await enter(scene)).cookie
    for _ in range(5):
        scene.clock.forward(minutes=29)
        assert await who(scene, cookie) is not None
        await scene.authenticator.close()
    scene.clock.forward(minutes=31)
    assert await who(scene, cookie) is None
    cookie = (await enter(scene)).cookie
    for _ in range(12 * 3 - 1):
        scene.clock.forward(minutes=20)
        assert await who(scene, cookie) is not None
        await scene.authenticator.close()
    scene.clock.forward(minutes=20)
    assert await who(scene, cookie) is None


@listening
async def test_cookie_from_before_is_neither_taken_over_nor_left_alive(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    await scene.account(scene.people.student, "mallory")
    planted = (await enter(scene, "mallory")).cookie
    assert await who(scene, planted) == scene.people.student
    through = await enter(scene, cookie=planted)
    assert through.cookie != planted
    assert await who(scene, planted) is None
    made_up = f"gs_ezhou_{'0' * 43}"
    assert (await enter(scene, cookie=made_up)).cookie != made_up
    assert await who(scene, made_up) is None


@listening
async def test_signing_out_ends_one_session_and_nobody_elses(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    first, second = (await enter(scene)).cookie, (await enter(scene)).cookie
    assert await who(scene, first) == await who(scene, second) == scene.people.teacher
    door = SignIn(scene.platform, scene.passwords)
    await door.out(scene.state.district, Visitor(address="", cookie=first), now=scene.clock.now)
    with scene.counted() as statements:
        assert await who(scene, second) == scene.people.teacher
        assert not statements  # still remembered
        assert await who(scene, first) is None


async def test_cookie_is_for_this_host_over_https_only_and_its_text_is_not_kept(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    cookie = (await enter(scene)).cookie
    header = sessions.set_cookie("ezhou", cookie)
    assert header == f"__Host-gongyu-ezhou={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert sessions.set_cookie("ezhou", "").endswith("; Max-Age=0")
    async with scene.work() as session:
        row = (await session.execute(sa.select(WebSession.__table__))).one()
    assert cookie.rpartition("_")[2].encode() not in str(row).encode()


async def test_guessing_one_password_is_limited_also_when_sent_all_at_once(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    found = await asyncio.gather(*(enter(scene, password=f"{n}") for n in range(30)), return_exceptions=True)
    kinds = [type(answer) for answer in found]
    assert kinds.count(SignInRefusedError) <= attempts.PASSWORD.pair
    assert set(kinds) == {SignInRefusedError, TooManyAttemptsError}
    for _ in range(attempts.PASSWORD.pair + 1 - kinds.count(SignInRefusedError)):
        with pytest.raises((SignInRefusedError, TooManyAttemptsError)) as last:
            await enter(scene, password="wrong")  # noqa: S106 - of nobody
    with pytest.raises(TooManyAttemptsError) as last:
        await enter(scene)  # the right one does not help either
    assert timedelta(0) < last.value.retry_after <= attempts.PASSWORD.window
    with pytest.raises(TooManyAttemptsError):
        await enter(scene, " SHI")  # nor another way of writing the name
    scene.clock.forward(minutes=15, seconds=1)
    assert (await enter(scene)).person == scene.people.teacher


async def test_name_nobody_has_is_limited_like_one_that_exists(scene: "Scene") -> None:
    for _ in range(attempts.PASSWORD.pair):
        with pytest.raises(SignInRefusedError):
            await enter(scene, "nobody")
    with pytest.raises(TooManyAttemptsError):
        await enter(scene, "nobody")


async def begin(
    scene: "Scene", name: str, address: str, limits: Limits, *, kind: str = "sign_in", right: bool = False
) -> bool:
    """One try, and whether it was let through."""
    try:
        attempt = await attempts.begin(
            scene.platform.database,
            scene.state.district,
            keys=scene.keys,
            kind=kind,
            name=name,
            address=address,
            now=scene.clock.now,
            limits=limits,
        )
    except TooManyAttemptsError:
        return False
    if right:
        async with scene.work() as session:
            await attempts.succeeded(session, attempt)
    scene.clock.forward(seconds=1)
    return True


async def test_stranger_cannot_lock_somebody_out_of_where_they_always_sign_in(scene: "Scene") -> None:
    limits = Limits(pair=3, name=5, address=100)
    assert await begin(scene, "shi", "10.0.0.1", limits, right=True)
    let_through = [await begin(scene, "shi", f"198.51.100.{n}", limits) for n in range(8)]
    assert let_through == [True] * 5 + [False] * 3
    assert await begin(scene, "shi", "10.0.0.1", limits, right=True)
    assert not await begin(scene, "shi", "198.51.100.99", limits)


async def test_school_behind_one_address_earns_its_tries_and_a_sprayer_does_not(scene: "Scene") -> None:
    limits = Limits(pair=10, name=10, address=4, earned=2)
    spraying = [await begin(scene, f"pupil{n}", "198.51.100.7", limits) for n in range(6)]
    assert spraying == [True] * 4 + [False] * 2
    school = []
    for n in range(12):  # every pupil mistypes once, then gets it right
        school.append(await begin(scene, f"pupil{n}", "192.0.2.1", limits))
        school.append(await begin(scene, f"pupil{n}", "192.0.2.1", limits, right=True))
    assert all(school)
    own = [await begin(scene, "mine", "198.51.100.7", limits, right=True) for _ in range(3)]
    assert own == [False] * 3  # nor does it help to have an account of one's own
    neighbours = [await begin(scene, f"x{n}", f"2001:db8::{n}", limits) for n in range(6)]
    assert neighbours == [True] * 4 + [False] * 2  # a household has a whole /64 to choose from


async def test_kinds_of_tries_do_not_see_each_other(scene: "Scene") -> None:
    limits = Limits(pair=2, name=2, address=4, earned=3)
    for kind in ("points.voucher", "sign_in"):  # what one kind used up is there for the other
        assert [await begin(scene, f"pupil{n}", "192.0.2.1", limits, kind=kind) for n in range(6)] == [True] * 4 + [
            False
        ] * 2
        assert [await begin(scene, "shi", f"192.0.2.{n}", limits, kind=kind) for n in range(2, 5)] == [True] * 2 + [
            False
        ]
    for n in range(4):  # and what it earns it has for itself
        assert await begin(scene, f"pupil{n}", "192.0.2.9", limits, kind="points.voucher", right=True)
    assert await begin(scene, "guan", "192.0.2.9", limits, kind="points.voucher", right=True)
    sprayed = [await begin(scene, f"x{n}", "192.0.2.9", limits) for n in range(6)]
    assert sprayed == [True] * 4 + [False] * 2


async def test_try_that_was_none_counts_neither_as_failed_nor_as_succeeded(scene: "Scene") -> None:
    limits = Limits(pair=2)

    async def nothing() -> None:
        attempt = await attempts.begin(
            scene.platform.database,
            scene.state.district,
            keys=scene.keys,
            kind="sign_in",
            name="shi",
            address="10.0.0.1",
            now=scene.clock.now,
            limits=limits,
        )
        async with scene.work() as session:
            await attempts.withdrawn(session, attempt)

    assert await begin(scene, "shi", "10.0.0.1", limits)
    for _ in range(5):
        await nothing()
    assert await begin(scene, "shi", "10.0.0.1", limits)
    assert not await begin(scene, "shi", "10.0.0.1", limits)


async def test_limits_survive_a_restart_and_show_no_name_in_the_database(scene: "Scene") -> None:
    limits = Limits(pair=1)
    assert await begin(scene, "my password by mistake", "10.0.0.1", limits)
    assert not await begin(scene, "my password by mistake", "10.0.0.1", limits)  # nothing of it is in this process
    async with scene.work() as session:
        rows = (await session.execute(sa.select(SignInAttempt.__table__))).all()
        assert "mistake" not in str(rows)
        assert "10.0.0.1" not in str(rows)
        await attempts.forget_old(session, now=scene.clock.now + timedelta(days=2))
        assert (await session.execute(sa.select(SignInAttempt.__table__))).all() == []


MLPS3 = AccessRules(password_policy="mlps3", second_factor=True)  # noqa: S106 - the name of a policy


def code_of(address: str, scene: "Scene") -> str:
    totp = pyotp.parse_uri(address)
    assert isinstance(totp, pyotp.TOTP)
    return totp.at(scene.clock.now)


async def test_administrator_sets_up_a_second_factor_before_anything_opens(scene: "Scene") -> None:
    rules = AccessRules(second_factor=True)
    await scene.account(scene.people.admin, "guan")
    await scene.account(scene.people.teacher, "shi")
    assert (await enter(scene, "shi", rules=rules)).needs == ""
    staged = await enter(scene, "guan", rules=rules)
    assert (staged.needs, await who(scene, staged.cookie)) == ("totp_setup", None)
    door, district, now = SignIn(scene.platform, scene.passwords), scene.state.district, scene.clock.now
    visitor = Visitor(address="", cookie=staged.cookie)
    with pytest.raises(SignInRefusedError):
        await door.by_second_factor(district, rules, visitor, code="000000", now=now)
    address = await door.propose_second_factor(district, visitor, issuer="共育", now=now)
    with pytest.raises(SignInRefusedError):
        await door.confirm_second_factor(district, rules, visitor, code="000000", now=now)
    through, recovery = await door.confirm_second_factor(
        district, rules, visitor, code=code_of(address, scene), now=now
    )
    assert (through.needs, await who(scene, through.cookie)) == ("", scene.people.admin)
    assert await who(scene, staged.cookie) is None
    assert len(set(recovery)) == 10
    async with scene.work() as session:
        row = (await session.execute(sa.select(Account).where(Account.person_id == scene.people.admin))).scalar_one()
    assert pyotp.parse_uri(address).secret.encode() not in (row.totp_secret or b"")


async def with_factor(scene: "Scene") -> tuple[str, list[str]]:
    """The teacher with a second factor: its address, and the recovery codes."""
    await scene.account(scene.people.teacher, "shi")
    person = scene.people.teacher
    async with scene.work() as session:
        address = await second_factor.propose(session, keys=scene.keys, person=person, issuer="共育")
    async with scene.work() as session:
        recovery = await second_factor.confirm(
            session, keys=scene.keys, person=person, code=code_of(address, scene), now=scene.clock.now
        )
    assert recovery is not None
    return address, recovery


async def test_code_of_the_second_factor_opens_once(scene: "Scene") -> None:
    address, recovery = await with_factor(scene)
    door, district = SignIn(scene.platform, scene.passwords), scene.state.district

    async def try_code(code: str) -> UUID | None:
        staged = await enter(scene)
        assert (staged.needs, await who(scene, staged.cookie)) == ("totp", None)
        visitor = Visitor(address=HOME.address, cookie=staged.cookie)
        try:
            through = await door.by_second_factor(district, RULES, visitor, code=code, now=scene.clock.now)
        except SignInRefusedError:
            return None
        return await who(scene, through.cookie)

    teacher = scene.people.teacher
    assert await try_code(code_of(address, scene)) is None  # the one that confirmed it is used up
    scene.clock.forward(seconds=30)
    fresh = code_of(address, scene)
    assert await try_code(fresh) == teacher
    assert await try_code(fresh) is None
    scene.clock.forward(seconds=90)
    assert await try_code(fresh) is None
    assert await try_code(recovery[0].lower().replace("-", " ")) == teacher
    assert await try_code(recovery[0]) is None
    assert len(await scene.audited("second_factor.recovered")) == 1


async def test_same_code_sent_twice_at_once_opens_once(scene: "Scene") -> None:
    address, recovery = await with_factor(scene)
    scene.clock.forward(seconds=60)
    for code in (code_of(address, scene), recovery[3]):

        async def once(code: str = code) -> bool:
            async with scene.work() as session:
                return await second_factor.passes(
                    session, keys=scene.keys, person=scene.people.teacher, code=code, now=scene.clock.now
                )

        assert sorted(await asyncio.gather(once(), once(), once())) == [False, False, True]


async def test_guessing_the_second_factor_ends_the_sign_in(scene: "Scene") -> None:
    address, _ = await with_factor(scene)
    scene.clock.forward(seconds=60)
    staged = await enter(scene)
    door, visitor = SignIn(scene.platform, scene.passwords), Visitor(address="x", cookie=staged.cookie)

    async def guess(code: str) -> Any:  # noqa: ANN401 - an answer or its error
        return await door.by_second_factor(scene.state.district, RULES, visitor, code=code, now=scene.clock.now)

    for _ in range(attempts.SECOND_FACTOR.pair):
        with pytest.raises(SignInRefusedError):
            await guess("000000")
    with pytest.raises(TooManyAttemptsError):
        await guess(code_of(address, scene))
    scene.clock.forward(minutes=16)
    with pytest.raises(SignInRefusedError):  # the password has to be given again
        await guess(code_of(address, scene))


async def test_old_password_opens_only_the_way_to_a_new_one_where_the_policy_says_so(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi", "Aa1!correct horse")
    assert (await enter(scene, password="Aa1!correct horse", rules=MLPS3)).needs == ""  # noqa: S106 - of nobody
    scene.clock.forward(days=90)
    assert (await enter(scene, password="Aa1!correct horse")).needs == ""  # noqa: S106 - under asvs it stays good
    staged = await enter(scene, password="Aa1!correct horse", rules=MLPS3)  # noqa: S106 - of nobody
    assert (staged.needs, await who(scene, staged.cookie)) == ("password", None)
    door, visitor = SignIn(scene.platform, scene.passwords), Visitor(address="", cookie=staged.cookie)
    for bad in ("Aa1!correct horse", "short", "nocapitalsnodigits"):
        with pytest.raises(accounts.AccountError):
            await door.by_new_password(scene.state.district, MLPS3, visitor, password=bad, now=scene.clock.now)
    through = await door.by_new_password(
        scene.state.district, MLPS3, visitor, password=RIGHT.title() + "?", now=scene.clock.now
    )
    assert (through.needs, await who(scene, through.cookie)) == ("", scene.people.teacher)
    with pytest.raises(SignInRefusedError):
        await enter(scene, password="Aa1!correct horse", rules=MLPS3)  # noqa: S106 - of nobody


async def test_last_five_passwords_are_not_taken_again_where_the_policy_forces_a_change(scene: "Scene") -> None:
    person = scene.people.teacher
    words = ["Aa1!correct horse", *(f"Battery {word} staple 7!" for word in ("red", "blue", "green", "grey", "pink"))]
    await scene.account(person, "shi", words[0])

    async def become(password: str, rules: AccessRules = MLPS3) -> None:
        async with scene.work() as session:
            await accounts.set_password(
                session,
                passwords=scene.passwords,
                rules=rules,
                person=person,
                password=password,
                by="operator:test",
                now=scene.clock.now,
            )
        scene.clock.forward(hours=1)

    async def kept() -> int:
        async with scene.work() as session:
            count = (await session.execute(sa.select(sa.func.count()).select_from(FormerPassword))).scalar()
        return count or 0

    for word in words[1:5]:
        await become(word)
    for used in words[:4]:  # the fifth is the present one
        with pytest.raises(accounts.AccountError) as refused:
            await become(used)
        assert [reason.en for reason in refused.value.reasons] == ["it is one of the last 5 passwords"]
    assert (await enter(scene, password=words[4], rules=AccessRules(password_policy="mlps3"))).needs == ""  # noqa: S106 - a policy
    await become(words[5])
    await become(words[0])  # five others have been between
    assert await kept() == 4
    await become(words[3], RULES)  # where nobody is forced to change, nothing is held against them
    assert await kept() == 0


async def test_age_of_a_password_is_the_districts_to_say(scene: "Scene") -> None:
    await scene.account(scene.people.teacher, "shi")
    monthly = AccessRules(password_days=30)
    scene.clock.forward(days=29)
    assert (await enter(scene, rules=monthly)).needs == ""
    scene.clock.forward(days=1)
    assert [(await enter(scene, rules=rules)).needs for rules in (monthly, RULES)] == ["password", ""]


async def test_half_way_session_is_gone_after_ten_minutes(scene: "Scene") -> None:
    address, _ = await with_factor(scene)
    staged = await enter(scene)
    scene.clock.forward(minutes=10)
    door, visitor = SignIn(scene.platform, scene.passwords), Visitor(address="x", cookie=staged.cookie)
    with pytest.raises(SignInRefusedError):
        await door.by_second_factor(
            scene.state.district, RULES, visitor, code=code_of(address, scene), now=scene.clock.now
        )

"""Coming in over HTTP, as browsers, scripts and strangers try it. The hostile first."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pyotp
import pytest
import sqlalchemy as sa

from gongyu.access import accounts
from gongyu.access.authenticate import cookie_name
from gongyu.access.models import Approval, WebSession
from gongyu.access.tokens import list_tokens
from gongyu.database.model import new_id
from gongyu.events.models import IdempotencyRow
from gongyu.people.models import ClassGroup, Enrolment, Guardianship
from gongyu.web.app import create_app

from .conftest import Web
from .test_oidc import ISSUER, Directory

if TYPE_CHECKING:
    from tests.access.conftest import Scene

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
listening = pytest.mark.usefixtures("signals")
RIGHT = "correct horse battery"
FRESH = "four quiet bicycles sing"
JSON = dict[str, Any]


def said(answer: httpx.Response) -> JSON:
    """A problem without what differs from request to request."""
    problem: JSON = answer.json()
    return {key: value for key, value in problem.items() if key not in ("instance", "request_id")}


def kind_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("type", "")).rpartition("/")[2]


# ── strangers ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_refusal_is_the_same_for_wrong_name_wrong_password_and_closed_account(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    await scene.account(scene.people.student, "closed")
    async with scene.work() as session:
        await accounts.disable_account(session, person=scene.people.student, by="operator:test")
    browser = web.browser()
    await browser.post("/session", json={"username": "nobody", "password": "makes the hash of nobody, once"})
    seen = []
    for username, password in (("nobody", RIGHT), ("shi", "wrong"), ("closed", RIGHT), ("\0", RIGHT)):
        before = scene.hashed.worked
        answer = await browser.post("/session", json={"username": username, "password": password})
        headers = {
            name: answer.headers[name] for name in answer.headers if name not in ("x-request-id", "content-length")
        }
        seen.append((answer.status_code, said(answer), headers, scene.hashed.worked - before))
    assert all(one == seen[0] for one in seen)
    assert (seen[0][0], seen[0][3]) == (401, 1)
    assert "set-cookie" not in seen[0][2]
    lines = await scene.audited("sign_in.refused")
    assert [line.details["address"] for line in lines] == ["203.0.113.7"] * 5


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),  # another site under the same domain
        ({"sec-fetch-site": "cross-site", "origin": "https://gongyu.test"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://gongyu.test.evil.example"}, False),
        ({"origin": "https://gongyu.test:444"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://gongyu.test"}, True),
        ({"origin": "https://GONGYU.test"}, True),
        ({}, True),
    ],
    ids=str,
)
async def test_another_sites_page_makes_a_browser_do_nothing(web: Web, headers: dict[str, str], passes: bool) -> None:  # noqa: FBT001 - a case
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    browser = await web.signed_in("shi")
    token = {"name": "x", "scopes": ["*"], "expires_at": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}
    made = await browser.post("/me/tokens", json=token, headers=headers)
    as_another = await browser.post("/session", json={"username": "evil", "password": RIGHT}, headers=headers)
    out = await browser.delete("/session", headers=headers)
    assert (await browser.get("/me", headers=headers)).status_code == (401 if passes else 200)
    if passes:
        assert [made.status_code, as_another.status_code, out.status_code] == [201, 401, 204]
    else:
        assert {kind_of(answer) for answer in (made, as_another, out)} == {(403, "cross-site")}
    script = web.script(await scene.token(scene.people.teacher))
    assert (
        await script.post("/me/tokens", json=token, headers=headers)
    ).status_code == 201  # no page can add that header


async def test_session_of_another_district_opens_nothing_here(web: Web, neighbour: "Scene") -> None:
    await neighbour.account(neighbour.people.admin, "guan")
    there = replace(web, slug="huangshi", opened=web.opened)
    visitor = await there.signed_in("guan")
    value = visitor.cookies[cookie_name("huangshi")]
    here = web.browser()
    for name in ("ezhou", "huangshi"):
        for text in (value, value.replace("gs_huangshi_", "gs_ezhou_")):
            headers = {"cookie": f"{cookie_name(name)}={text}"}
            assert (await here.get("/me", headers=headers)).status_code == 401
            assert (await here.get("/session", headers=headers)).json()["needs"] == "sign_in"
    assert (await visitor.get("/me")).json()["name"] == "管局长"


async def test_cookie_that_was_there_before_signing_in_is_worth_nothing_after(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    await scene.account(scene.people.student, "evil")
    attacker = await web.signed_in("evil")
    planted = attacker.cookies[cookie_name("ezhou")]
    victim = web.browser(headers={"cookie": f"{cookie_name('ezhou')}={planted}"})
    answer = await victim.post("/session", json={"username": "shi", "password": RIGHT})
    given = answer.headers["set-cookie"]
    assert planted not in given
    assert given.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")
    assert given.startswith("__Host-")
    assert answer.headers["cache-control"] == "no-store"
    assert (await attacker.get("/me")).status_code == 401


async def test_guessing_codes_ends_whatever_address_is_claimed(web: Web) -> None:
    scene = web.scene
    code = await web.code(scene.people.teacher)
    browser = web.browser()

    async def guess(number: int, who: httpx.AsyncClient, typed: str | None = None) -> httpx.Response:
        words = {"code": typed or f"0000-0000-{number:04}", "username": "shi", "password": FRESH}
        return await who.post("/activation", json=words, headers={"x-forwarded-for": f"198.51.100.{number}"})

    answers = [kind_of(await guess(number, browser)) for number in range(64)]
    assert answers == [(403, "code-refused")] * 60 + [(429, "rate-limited")] * 4
    limited = await guess(99, browser, code)
    assert limited.status_code == 429
    assert 0 < int(limited.headers["retry-after"]) <= 900
    lines = await scene.audited("sign_in.limited")
    assert [line.details for line in lines] == [{"method": "code", "address": "203.0.113.7"}]  # once, not five times
    assert (await guess(1, web.browser(address="198.51.100.1"), code)).status_code == 204


async def test_address_is_what_a_trusted_proxy_saw(web: Web) -> None:
    scene = web.scene
    config = msgspec.structs.replace(scene.platform.config, trusted_proxies=("10.0.0.0/8", "2001:db8::1/128"))
    app = create_app(replace(scene.platform, config=config), door=web.door)
    behind = replace(web, app=app, opened=web.opened)
    words = {"username": "nobody", "password": RIGHT}
    cases = {
        ("10.0.0.1", "1.1.1.1, 203.0.113.1"): "203.0.113.1",
        ("::ffff:10.0.0.1", "1.1.1.1,203.0.113.2 , 10.2.2.2"): "203.0.113.2",
        ("2001:db8::1", "203.0.113.3, garbage"): "2001:db8::1",
        ("10.0.0.2", "10.9.9.9"): "10.9.9.9",
        ("203.0.113.4", "1.1.1.1"): "203.0.113.4",
    }
    for address, forwarded in cases:
        await behind.browser(address=address).post("/session", json=words, headers={"x-forwarded-for": forwarded})
    assert [line.details["address"] for line in await scene.audited("sign_in.refused")] == list(cases.values())


# ── signing in ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_administrator_signs_in_step_by_step_and_nothing_opens_before_the_last(web: Web) -> None:
    scene = web.scene
    await web.rules("second_factor = true")
    await scene.account(scene.people.admin, "guan")
    browser = web.browser()
    words = {"username": "guan", "password": RIGHT}
    assert (await browser.post("/session", json=words)).json() == {
        "needs": "totp_setup",
        "person": str(scene.people.admin),
    }
    staged = browser.cookies[cookie_name("ezhou")]
    assert (await browser.get("/session")).json()["needs"] == "totp_setup"
    assert [(await browser.get(path)).status_code for path in ("/me", "/me/tokens", "/audit")] == [401, 401, 401]
    assert (await browser.post("/session/password", json={"password": FRESH})).status_code == 401  # not the step
    assert (await browser.post("/session/second-factor", json={"code": "000000"})).status_code == 401
    uri = (await browser.post("/session/second-factor/proposal")).json()["uri"]
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    assert app.issuer == "共育 鄂州市"
    wrong = {"code": "000000" if app.now() != "000000" else "111111"}
    assert (await browser.post("/session/second-factor/confirmation", json=wrong)).status_code == 401
    confirmed = await browser.post("/session/second-factor/confirmation", json={"code": app.now()})
    assert (confirmed.json()["needs"], len(confirmed.json()["recovery_codes"])) == ("", 10)
    assert confirmed.headers["cache-control"] == "no-store"
    assert (await browser.get("/me")).json()["name"] == "管局长"
    assert (await web.browser(headers={"cookie": f"{cookie_name('ezhou')}={staged}"}).get("/me")).status_code == 401
    gone = browser.cookies[cookie_name("ezhou")]
    left = await browser.delete("/session")
    assert (left.status_code, "Max-Age=0" in left.headers["set-cookie"]) == (204, True)
    assert (await web.browser(headers={"cookie": f"{cookie_name('ezhou')}={gone}"}).get("/me")).status_code == 401

    assert (await browser.post("/session", json=words)).json()["needs"] == "totp"
    again = await browser.post("/session/second-factor", json={"code": app.now()})
    assert again.status_code == 401  # a step of the clock counts once
    recovery = confirmed.json()["recovery_codes"][0]
    assert (await browser.post("/session/second-factor", json={"code": recovery})).json()["needs"] == ""
    assert (await browser.get("/me")).status_code == 200
    admin = await web.administrator()
    assert (await admin.delete(f"/accounts/{scene.people.admin}/second-factor")).status_code == 204
    assert (await browser.post("/session", json=words)).json()["needs"] == "totp_setup"


@listening
async def test_closing_an_account_ends_everything_in_the_middle(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    browser, script = await web.signed_in("shi"), web.script(await scene.token(scene.people.teacher))
    admin = await web.administrator()
    account = f"/accounts/{scene.people.teacher}"
    assert [(await one.get("/me")).status_code for one in (browser, script)] == [200, 200]  # both are remembered now
    assert (await admin.post(f"{account}/disable")).status_code == 204
    assert [(await one.get("/me")).status_code for one in (browser, script)] == [401, 401]
    assert kind_of(await browser.post("/session", json={"username": "shi", "password": RIGHT}))[0] == 401
    assert (await admin.post(f"{account}/disable")).status_code == 204
    assert (await admin.post(f"{account}/enable")).status_code == 204
    assert [(await one.get("/me")).status_code for one in (browser, script)] == [401, 200]
    assert (await admin.delete(f"{account}/tokens")).status_code == 204
    assert (await script.get("/me")).status_code == 401
    assert kind_of(await admin.post(f"/accounts/{scene.people.admin}/disable")) == (409, "conflict")
    actors = {line.actor for line in await scene.audited("account.disabled", "account.enabled", "token.revoked")}
    assert actors == {f"person:{scene.people.admin}"}


@listening
async def test_own_password_is_changed_by_whoever_knows_the_old_one(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    browser, elsewhere = await web.signed_in("shi"), await web.signed_in("shi")
    script = web.script(await scene.token(scene.people.teacher))
    assert kind_of(await script.post("/me/password", json={"old": RIGHT, "new": FRESH})) == (403, "forbidden")
    bad = await browser.post("/me/password", json={"old": RIGHT, "new": "12345678"})
    assert (bad.status_code, len(bad.json()["errors"])) == (422, 1)
    before = browser.cookies[cookie_name("ezhou")]
    assert (await browser.post("/me/password", json={"old": RIGHT, "new": FRESH})).status_code == 200
    assert browser.cookies[cookie_name("ezhou")] != before
    assert [(await one.get("/me")).status_code for one in (browser, elsewhere)] == [200, 401]
    wrong = [kind_of(await browser.post("/me/password", json={"old": RIGHT, "new": RIGHT}))[0] for _ in range(6)]
    assert wrong == [422] * 5 + [429]
    assert len(await scene.audited("account.password_refused")) == 5
    await web.signed_in("shi", FRESH)


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_narrow_token_makes_no_wider_nor_longer_one(web: Web) -> None:
    scene = web.scene
    wide = web.script(await scene.token(scene.people.teacher))
    narrow = web.script(await scene.token(scene.people.teacher, "points.*", "mentor.talk.read", "people.own"))
    soon = datetime.now(UTC) + timedelta(hours=1)

    def asked(*scopes: str, until: datetime = soon) -> JSON:
        return {"name": "x", "scopes": scopes, "expires_at": until.isoformat()}

    for scopes in (["*"], ["points.*", "mentor.*"], ["mentor.talk.write"], ["point.*"], ["points.x", "mentor.own"]):
        assert kind_of(await narrow.post("/me/tokens", json=asked(*scopes))) == (403, "forbidden"), scopes
    longer = await narrow.post("/me/tokens", json=asked("points.*", until=soon + timedelta(days=3)))
    assert [error["pointer"] for error in longer.json()["errors"]] == ["/expires_at"]
    assert (await narrow.post("/me/tokens", json=asked("points.award.*", "mentor.talk.read"))).status_code == 201
    malformed = await wide.post("/me/tokens", json={"name": "", "scopes": [], "expires_at": "2027-01-01T00:00:00"})
    assert sorted(error["pointer"] for error in malformed.json()["errors"]) == ["/expires_at", "/name", "/scopes"]
    assert (await wide.post("/me/tokens", json=asked("Not a scope"))).status_code == 422

    listed: list[JSON] = (await narrow.get("/me/tokens")).json()
    widest = next(one["id"] for one in listed if one["scopes"] == ["*"])
    assert (await narrow.delete(f"/me/tokens/{widest}")).status_code == 403
    async with scene.work() as session:
        await scene.token(scene.people.admin)
        (others,) = await list_tokens(session, person=scene.people.admin)
    assert (await wide.delete(f"/me/tokens/{others.id}")).status_code == 404
    assert (await wide.delete(f"/me/tokens/{widest}")).status_code == 204
    assert (await wide.get("/me")).status_code == 401


async def test_token_is_answered_again_for_its_key_and_kept_readable_nowhere(web: Web) -> None:
    scene = web.scene
    script = web.script(await scene.token(scene.people.teacher))
    words = {"name": "x", "scopes": ["*"], "expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    first, again = [await script.post("/me/tokens", json=words, headers={"idempotency-key": "once"}) for _ in range(2)]
    assert (first.json(), first.headers["cache-control"]) == (again.json(), "no-store")
    assert again.headers["cache-control"] == "no-store"
    assert again.headers["idempotency-replayed"] == "true"
    async with scene.work() as session:
        (kept,) = (await session.execute(sa.select(IdempotencyRow.__table__))).all()
    assert first.json()["token"].encode() not in kept.body
    assert len(await scene.audited("token.created")) == 2


# ── codes on paper ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_code_gives_an_account_once(web: Web) -> None:
    scene = web.scene
    admin, browser = await web.administrator(), web.browser()
    issued = await admin.post(f"/accounts/{scene.people.teacher}/code")
    assert (issued.status_code, issued.headers["cache-control"]) == (201, "no-store")
    words = {"code": issued.json()["code"], "username": "shi", "password": "password1"}
    assert (await browser.post("/activation", json=words)).status_code == 422  # the code can be used again
    words["password"] = FRESH
    assert (await browser.post("/activation", json=words)).status_code == 204
    assert kind_of(await browser.post("/activation", json=words)) == (403, "code-refused")
    assert (await browser.get("/me")).status_code == 401  # knowing the code is not signing in
    await web.signed_in("shi", FRESH)


@listening
async def test_reset_password_ends_tokens_and_is_not_offered_for_a_closed_account(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    admin, script = await web.administrator(), web.script(await scene.token(scene.people.teacher))
    changed = await (await web.signed_in("shi")).post("/me/password", json={"old": RIGHT, "new": FRESH})
    assert (changed.status_code, (await script.get("/me")).status_code) == (200, 200)  # whoever knew the old one
    account = f"/accounts/{scene.people.teacher}"
    code = (await admin.post(f"{account}/code")).json()["code"]
    words = {"code": code, "username": "shi", "password": "a third battery horse"}
    assert (await web.browser().post("/activation", json=words)).status_code == 204
    assert (await script.get("/me")).status_code == 401
    assert [line.details for line in await scene.audited("account.password_set")] == [
        {"tokens_revoked": 0},
        {"tokens_revoked": 1},
    ]
    assert (await admin.post(f"{account}/disable")).status_code == 204
    assert kind_of(await admin.post(f"{account}/code")) == (409, "conflict")


@listening
async def test_both_guardians_bind_with_one_slip_and_a_script_does_not(web: Web) -> None:
    scene = web.scene
    code = await web.code(scene.people.student, "guardian")
    new = {"name": "李芳", "username": "lifang", "password": FRESH}
    browser = web.browser()
    mother = await browser.post("/guardianships", json={"code": code, "kind": "mother", "guardian": new})
    assert (mother.status_code, mother.json()["student"]) == (201, str(scene.people.student))
    assert kind_of(await browser.post("/guardianships", json={"code": code, "kind": "father"})) == (
        401,
        "not-signed-in",
    )
    script = web.script(await scene.token(scene.people.teacher))
    assert kind_of(await script.post("/guardianships", json={"code": code, "kind": "father"})) == (403, "forbidden")
    await scene.account(scene.people.teacher, "shi")
    father = await web.signed_in("shi")
    bound = await father.post("/guardianships", json={"code": code, "kind": "father"})
    assert bound.json() == {"guardian": str(scene.people.teacher), "student": str(scene.people.student)}
    assert kind_of(await father.post("/guardianships", json={"code": code, "kind": "father"})) == (403, "code-refused")
    roles = (await (await web.signed_in("lifang", FRESH)).get("/me")).json()["memberships"]
    assert roles == [{"role": "guardian", "org": str(scene.people.first_school)}]


async def test_class_gets_slips_from_those_who_run_its_school(web: Web) -> None:
    scene, people = web.scene, web.scene.people
    class_id = new_id()
    row = {"id": class_id, "title": "一年级1班", "type": "homeroom", "school_id": people.first_school}
    member = {"person_id": people.student, "class_id": class_id, "role": "student", "begins_on": scene.long_ago}
    await scene.execute(sa.insert(ClassGroup).values(row), sa.insert(Enrolment).values(id=new_id(), **member))
    head = web.script(await scene.token(people.principal))
    slips = f"/classes/{class_id}/slips"
    printed = await head.post(slips, json={"kind": "activation"})
    assert (printed.status_code, printed.content[:5]) == (201, b"%PDF-")
    assert (printed.headers["content-type"], printed.headers["cache-control"]) == ("application/pdf", "no-store")
    await scene.account(people.student, "sheng")
    assert kind_of(await head.post(slips, json={"kind": "activation"})) == (409, "conflict")
    assert (await head.post(slips, json={"kind": "guardian"})).status_code == 201
    other = await scene.person("另校长", "principal", people.second_school)
    assert (await web.script(await scene.token(other)).post(slips, json={"kind": "guardian"})).status_code == 404
    assert len(await scene.audited("code.issued")) == 2


# ── those who run a school or the district ───────────────────────────────────────────────────────────────────────────


async def test_site_administrator_reaches_people_of_the_school_and_nobody_above_or_beside(web: Web) -> None:
    scene, people = web.scene, web.scene.people
    school, other = people.first_school, people.second_school
    site = web.script(await scene.token(await scene.person("网管", "siteAdministrator", school)))
    within = {"student": people.student, "teacher": await scene.person("本师", "teacher", people.first_grade)}
    both = await scene.person("两校师", "teacher", school)
    await scene.membership(both, "teacher", other)
    above = await scene.person("兼课局长", "teacher", school)
    await scene.membership(above, "districtAdministrator", people.root)
    left = await scene.person("离任")
    await scene.membership(left, "teacher", school, ends_on=scene.long_ago)
    parent, parent_of_both = await scene.person("本校家长"), await scene.person("两校家长")
    sibling = await scene.person("妹妹", "student", other)
    for guardian, child in ((parent, people.student), (parent_of_both, people.student), (parent_of_both, sibling)):
        bond = {"guardian_id": guardian, "student_id": child, "kind": "mother", "begins_on": scene.long_ago}
        await scene.execute(sa.insert(Guardianship).values(id=new_id(), **bond))
    within["parent"] = parent
    beyond = {
        "another school": people.teacher,
        "both schools": both,
        "the district": above,
        "left": left,
        "children in both": parent_of_both,
        "the principal": people.principal,
        "nobody": new_id(),
    }
    for who, person in (within | beyond).items():
        statuses = [
            (await site.request(method, f"/accounts/{person}{path}")).status_code
            for method, path in (
                ("POST", "/disable"),
                ("POST", "/enable"),
                ("POST", "/code"),
                ("DELETE", "/tokens"),
                ("DELETE", "/second-factor"),
            )
        ]
        assert statuses == ([204, 204, 201, 204, 204] if who in within else [404] * 5), who
    admin = await web.administrator()
    assert [(await admin.post(f"/accounts/{beyond[who]}/code")).status_code for who in ("both schools", "left")] == [
        201
    ] * 2
    head = web.script(await scene.token(people.principal))
    assert kind_of(await head.post(f"/accounts/{people.student}/code")) == (403, "forbidden")


async def test_refusals_stand_in_the_audit_log_once_a_minute(web: Web) -> None:
    scene = web.scene
    script = web.script(await scene.token(scene.people.teacher))
    for _ in range(3):
        for path in ("/audit", "/health"):
            assert kind_of(await script.get(path)) == (403, "forbidden")
    lines = await scene.audited("access.refused")
    assert [(line.actor, line.details["permission"]) for line in lines] == [
        (f"person:{scene.people.teacher}", "district.audit.read"),
        (f"person:{scene.people.teacher}", "district.health.read"),
    ]


async def test_audit_log_is_read_by_the_district_and_copies_of_it_are_noted(web: Web) -> None:
    scene, people = web.scene, web.scene.people
    pretender = await scene.person("校内局长", "districtAdministrator", people.first_school)
    assert kind_of(await web.script(await scene.token(pretender)).get("/audit")) == (403, "forbidden")
    admin = await web.administrator()
    first = (await admin.get("/audit", params={"action": "token.*", "limit": 1})).json()
    second = (await admin.get("/audit", params={"action": "token.*", "limit": 1, "cursor": first["next"]})).json()
    assert [page["items"][0]["subject"] for page in (first, second)] == [
        f"person:{people.admin}",
        f"person:{pretender}",
    ]
    assert second["next"] is None
    assert kind_of(await admin.get("/audit", params={"cursor": "x"})) == (400, "bad-cursor")
    naive = await admin.get("/audit", params={"begins": "2026-09-01T08:00:00", "ends": "null"})
    assert [error["pointer"] for error in naive.json()["errors"]] == ["begins", "ends"]
    assert kind_of(await admin.get("/audit/export.csv")) == (403, "forbidden")  # nobody has approved it
    async with scene.work() as session:
        until = datetime.now(UTC) + timedelta(days=1)
        granted = {"permission": "district.audit.export", "reason": b"", "state": "granted", "until": until}
        granted |= {"asked_by": people.admin, "asked_at": datetime.now(UTC), "decided_at": datetime.now(UTC)}
        await session.execute(sa.insert(Approval).values(granted))
    csv = await admin.get("/audit/export.csv", params={"action": "access.refused"})
    assert [line.count("access.refused") for line in csv.text.splitlines()] == [0, 1, 1]
    lines = (await admin.get("/audit/export.jsonl", params={"action": "audit.exported"})).text.splitlines()
    noted = [json.loads(line)["details"] for line in lines]
    assert all(details.pop("approval") for details in noted)
    assert noted == [{"form": "csv", "action": "access.refused"}, {"form": "jsonl", "action": "audit.exported"}]
    searched = await scene.audited("audit.searched", "district.audit.read")
    assert [(line.action, line.details) for line in searched] == [("audit.searched", {"action": "token.*"})] * 2


# ── the district's own sign-in service ───────────────────────────────────────────────────────────────────────────────


async def test_own_service_lets_somebody_in_after_a_code_once(web: Web) -> None:
    scene = web.scene
    browser, directory = web.browser(), Directory()
    assert kind_of(await browser.get("/session/oidc")) == (404, "not-found")
    web.door.http = httpx.AsyncClient(transport=httpx.MockTransport(directory))
    web.opened.append(web.door.http)
    await web.rules(f'oidc = {{ issuer = "{ISSUER}", client_id = "gongyu client", client_secret = "s+cret" }}')

    async def go_there_and_back(who: httpx.AsyncClient) -> httpx.Response:
        away = await who.get("/session/oidc")
        assert away.status_code == 303
        answer = directory.visit(away.headers["location"])
        assert parse_qs(urlsplit(away.headers["location"]).query)["redirect_uri"] == [
            "https://gongyu.test/api/v1/ezhou/session/oidc/arrival"
        ]
        return await who.get("/session/oidc/arrival", params=answer)

    new = await go_there_and_back(browser)
    assert (new.status_code, new.headers["location"]) == (303, "/api/v1/ezhou/session/oidc/newcomer")
    assert (await browser.get("/session/oidc/newcomer")).json()["needs"] == "code"
    assert (await browser.get("/me")).status_code == 401
    code = {"code": await web.code(scene.people.teacher)}
    assert kind_of(await web.browser().post("/session/oidc", json=code)) == (401, "sign-in-refused")  # nobody vouched
    assert kind_of(await browser.post("/session/oidc", json={"code": "0"})) == (403, "code-refused")
    assert (await browser.post("/session/oidc", json=code)).json()["needs"] == ""
    assert (await browser.get("/me")).json()["name"] == "师老师"

    known = web.browser()
    assert (await go_there_and_back(known)).headers["location"] == "/api/v1/ezhou/session"
    assert (await known.get("/session")).json() == {"needs": "", "person": str(scene.people.teacher)}
    answer = directory.visit((await known.get("/session/oidc")).headers["location"])
    link = await web.browser().get("/session/oidc/arrival", params=answer)  # prepared by somebody else
    assert kind_of(link) == (401, "sign-in-refused")
    async with scene.work() as session:
        living = sa.select(sa.func.count()).select_from(WebSession).where(WebSession.ended_at.is_(None))
        assert (await session.execute(living)).scalar_one() == 2

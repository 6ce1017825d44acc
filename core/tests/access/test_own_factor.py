"""A second factor for anybody who wants one: set up, used, taken away; never by a browser that was left open."""

from datetime import UTC, datetime, timedelta

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from gongyu.access.models import Account

from .conftest import PASSWORD, Web

pytestmark = [
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
    pytest.mark.usefixtures("signals"),
]
OWN = "/me/second-factor"
ACTIONS = ("second_factor.proposed", "second_factor.set", "second_factor.refused", "second_factor.removed")


async def set_up(browser: httpx.AsyncClient) -> tuple[pyotp.TOTP, list[str]]:
    uri = (await browser.post(f"{OWN}/proposal", json={"password": PASSWORD})).json()["uri"]
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    confirmed = await browser.post(f"{OWN}/confirmation", json={"code": app.now()})
    assert confirmed.status_code == 201, confirmed.text
    return app, confirmed.json()["recovery_codes"]


def later(app: pyotp.TOTP) -> str:
    """The next code: one of now was used up by the confirmation."""
    return app.at(datetime.now(UTC) + timedelta(seconds=30))


async def test_teacher_sets_up_a_factor_nobody_demands_and_takes_it_away(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    browser, other = await web.signed_in("shi"), await web.signed_in("shi")
    assert (await browser.get(OWN)).json() == {"since": None, "recovery_codes": 0, "required": False}
    app, recovery = await set_up(browser)
    assert {(await one.get("/me")).status_code for one in (browser, other)} == {200}  # nobody was signed out
    found = (await browser.get(OWN)).json()
    assert (found["recovery_codes"], found["since"] is None) == (len(recovery), False)
    third = web.browser()
    staged = await third.post("/session", json={"username": "shi", "password": PASSWORD})
    assert staged.json()["needs"] == "totp"
    assert (await third.post("/session/second-factor", json={"code": recovery[0]})).json()["needs"] == ""
    assert (await browser.post(f"{OWN}/removal", json={"code": later(app)})).status_code == 204
    assert {(await one.get("/me")).status_code for one in (browser, other, third)} == {200}
    assert (await browser.get(OWN)).json() == {"since": None, "recovery_codes": 0, "required": False}
    assert (await browser.post(f"{OWN}/removal", json={"code": later(app)})).status_code == 422  # there is none now
    await web.signed_in("shi")
    me = f"person:{scene.people.teacher}"
    assert [(line.action, line.actor, line.subject) for line in await scene.audited(*ACTIONS)] == [
        ("second_factor.proposed", me, me),
        ("second_factor.set", me, me),
        ("second_factor.removed", me, me),
        ("second_factor.refused", me, me),
    ]


async def test_browser_left_open_changes_no_factor(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    browser = await web.signed_in("shi")
    for body in ({}, {"password": "wrong"}):
        assert (await browser.post(f"{OWN}/proposal", json=body)).status_code == 422
    assert (await browser.post(f"{OWN}/confirmation", json={"code": "000000"})).status_code == 422
    app, _ = await set_up(browser)
    bodies: list[dict[str, str]] = [
        {},
        {"password": "wrong"},
        {"code": "not a code"},
        {"code": app.now()},  # seen over a shoulder: it was the one of the confirmation
        {"password": PASSWORD},  # whoever knows the password alone is whom the factor keeps out
        {"password": PASSWORD, "code": later(app)},
    ]
    for removal in bodies:
        answer = await browser.post(f"{OWN}/removal", json=removal)
        assert answer.status_code == 422, removal
    assert (await browser.get(OWN)).json()["since"] is not None
    assert (await browser.post(f"{OWN}/proposal", json={"password": PASSWORD})).status_code == 422  # it has one
    script = web.script(await scene.token(scene.people.teacher))
    for path, body in (("proposal", {"password": PASSWORD}), ("removal", {"code": later(app)})):
        assert (await script.post(f"{OWN}/{path}", json=body)).status_code == 403
    assert len(await scene.audited("second_factor.refused")) == 3
    limited = [(await browser.post(f"{OWN}/removal", json={"code": "wrong"})).status_code for _ in range(6)]
    assert (limited[0], limited[-1]) == (422, 429)
    assert (await browser.post(f"{OWN}/removal", json={"code": later(app)})).status_code == 429


async def test_whoever_must_have_one_changes_it_by_signing_in_anew(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.principal, "xiao")
    browser = await web.signed_in("xiao")
    app, _ = await set_up(browser)
    await web.rules("second_factor = true")
    assert (await browser.get(OWN)).json()["required"]
    assert (await browser.post(f"{OWN}/removal", json={"code": later(app)})).status_code == 204
    assert (await browser.get("/me")).status_code == 401
    staged = await web.browser().post("/session", json={"username": "xiao", "password": PASSWORD})
    assert staged.json()["needs"] == "totp_setup"


async def test_somebody_without_a_password_begins_without_one_and_ends_by_a_code(web: Web) -> None:
    scene = web.scene
    await scene.account(scene.people.teacher, "shi")
    browser = await web.signed_in("shi")
    async with scene.work() as session:
        mine = sa.update(Account).where(Account.person_id == scene.people.teacher)
        await session.execute(mine.values(password=None))
    app, _ = await set_up(browser)
    assert (await browser.post(f"{OWN}/removal", json={"password": ""})).status_code == 422
    assert (await browser.post(f"{OWN}/removal", json={"code": later(app)})).status_code == 204

"""Paper vouchers: printed out of a quota, deposited once, void or expired otherwise; secrets stay on paper."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import msgspec
import pytest
import segno
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from gongyu.access.tokens import create_token
from gongyu.database.engine import Database
from gongyu.database.model import new_id
from gongyu.people.models import AcademicSession, Membership, Person
from gongyu.testing.deployment import Deployment
from gongyu.testing.plugin import MakeDistrict
from gongyu.web import ProblemError
from gongyu.web.app import create_app
from gongyu_points.books import account_id, ensure_accounts
from gongyu_points.personal import copy_of, erase
from gongyu_points.schemas import NewReversal
from gongyu_points.vouchers import codes
from gongyu_points.vouchers.depositing import deposit
from gongyu_points.vouchers.pdf import voucher_url
from gongyu_points.vouchers.printing import fresh_codes, print_sheet
from gongyu_points.vouchers.schemas import Batch, DepositOut, NewDeposit, NewSheet, Paper, VoidSheet
from gongyu_points.vouchers.voiding import void

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gongyu.platform import Platform
    from tests.conftest import Scene

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")

DIGITS = st.lists(st.integers(0, 31), min_size=12, max_size=12)


# ── the code ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _coded(digits: Sequence[int]) -> str:
    """The one right code that begins like this."""
    start = "".join(codes.ALPHABET[digit] for digit in digits)
    (code,) = [start + last for last in codes.ALPHABET if codes.read(start + last)]
    return code


def test_no_single_error_and_no_swap_passes_for_any_code_at_all() -> None:
    """The check is linear over GF(32): what an error adds to one code it adds to all: zero's neighbours are proof."""
    zero = "0" * codes.LENGTH
    assert codes.read(zero) == zero
    for place, wrong in itertools.product(range(codes.LENGTH), codes.ALPHABET[1:]):
        assert codes.read(zero[:place] + wrong + zero[place + 1 :]) is None
    for (one, other), wrong in itertools.product(itertools.combinations(range(codes.LENGTH), 2), codes.ALPHABET[1:]):
        swapped = [*zero]  # two symbols that differ by `wrong`, in each other's place: it is added to both
        swapped[one] = swapped[other] = wrong
        assert codes.read("".join(swapped)) is None


@given(DIGITS)
def test_every_single_error_and_every_swap_in_a_code_is_found(digits: list[int]) -> None:
    code = _coded(digits)
    for place, symbol in itertools.product(range(codes.LENGTH), codes.ALPHABET):
        wrong = code[:place] + symbol + code[place + 1 :]
        assert (codes.read(wrong) == code) == (symbol == code[place])
    for one, other in itertools.combinations(range(codes.LENGTH), 2):
        swapped = [*code]
        swapped[one], swapped[other] = code[other], code[one]
        assert (codes.read("".join(swapped)) is None) == (code[one] != code[other])


@given(DIGITS)
def test_a_code_is_understood_however_it_is_typed(digits: list[int]) -> None:
    code = _coded(digits)
    assert codes.shown(code).replace("-", "") == code
    for typed in (codes.shown(code).lower(), f" {code} ", code.replace("0", "o").replace("1", "l"), "－".join(code)):
        assert codes.read(typed) == code
    assert codes.read(code[:-1]) is codes.read(f"{code}0") is codes.read("U" * 13) is codes.read("学" * 13) is None


def test_codes_are_random_in_sixty_bits() -> None:
    made = [codes.new_code() for _ in range(2000)]
    assert all(codes.read(code) == code for code in made)
    seen = [Counter(code[place] for code in made) for place in range(codes.LENGTH)]
    assert len(set(made)) == 2000
    assert all(len(counts) == 32 and max(counts.values()) < 120 for counts in seen)  # 62.5 expected


# ── the sheet ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _print(scene: "Scene", *batches: tuple[Any, int], teacher: int = 0, **other: Any) -> tuple[UUID, list[Paper]]:  # noqa: ANN401 - of NewSheet
    """A sheet on paper, as its printer holds it."""
    new = NewSheet(id=new_id(), batches=tuple(Batch(*one) for one in batches), reason="helps_others", **other)
    async with scene.work() as session:
        printer = scene.principal(scene.teachers[teacher])
        await print_sheet(scene.context(session), new=new, printer=printer, orgs=frozenset({scene.school}))
    async with scene.work() as session:
        return new.id, list(await fresh_codes(scene.context(session), sheet=new.id, printer=scene.teachers[teacher]))


async def _deposit(
    scene: "Scene",
    code: str,
    student: UUID,
    *,
    key: UUID | None = None,
    now: datetime | None = None,
    **settings: Any,  # noqa: ANN401 - any setting
) -> DepositOut:
    async with scene.work() as session:
        context = scene.with_settings(session, **settings)
        context = replace(context, now=now or context.now)
        new = NewDeposit(key or new_id(), code)
        done, _ = await deposit(context, new=new, code=code, student=student, actor=student)
        return done


async def _void(scene: "Scene", sheet: UUID, *numbers: int, key: UUID | None = None) -> int:
    async with scene.work() as session:
        new = VoidSheet(key or new_id(), numbers)
        points, _ = await void(scene.context(session), new=new, sheet=sheet, actor=scene.teachers[0])
        return points


class Site:
    """The application without a server, asked as different people from different addresses."""

    def __init__(self, scene: "Scene") -> None:
        self.scene, self._app = scene, create_app(scene.platform)
        self._tokens: dict[UUID, str] = {}

    async def ask(
        self, who: UUID, method: str, path: str, body: object = None, *, address: str = "203.0.113.1"
    ) -> httpx.Response:
        if who not in self._tokens:
            async with self.scene.work() as session:
                until = datetime.now(UTC) + timedelta(days=1)
                self._tokens[who] = await create_token(session, person=who, name="测试", scopes=["*"], expires_at=until)
        app: Any = self._app
        transport = httpx.ASGITransport(app, client=(address, 4000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gongyu.test") as client:
            url = f"/api/v1/{self.scene.state.district.slug}/points{path}"
            headers = {"Authorization": f"Bearer {self._tokens[who]}"}
            return await client.request(method, url, headers=headers, json=body)

    async def sign_in(self, *, address: str) -> int:
        """With a wrong password."""
        app: Any = self._app
        transport = httpx.ASGITransport(app, client=(address, 4000))
        async with httpx.AsyncClient(transport=transport, base_url="https://gongyu.test") as client:
            words = {"username": "wang", "password": "wrong"}
            return (await client.post(f"/api/v1/{self.scene.state.district.slug}/session", json=words)).status_code

    async def person(self, role: str, org: UUID) -> UUID:
        async with self.scene.work() as session:
            made = Person(id=new_id(), name=role)
            session.add(made)
            await session.flush()
            session.add(Membership(person_id=made.id, org_id=org, role=role, begins_on=date(2020, 9, 1)))
        return made.id

    async def deposit(self, who: UUID, code: str, **other: Any) -> httpx.Response:  # noqa: ANN401 - of the body, or the address
        address = other.pop("address", "203.0.113.1")
        return await self.ask(who, "POST", "/deposits", {"id": str(new_id()), "code": code, **other}, address=address)


def _codes_in(pdf: bytes) -> list[str]:
    text = "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)
    return re.findall(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{5}\b", text)


def _drawn(pdf: bytes) -> list[list[list[int]]]:
    """The QR codes of a PDF, module by module: a run of black ones is a stroke along their middle."""
    found = []
    for page in PdfReader(BytesIO(pdf)).pages:
        contents = page.get_contents()
        assert contents is not None
        runs: list[tuple[float, float, float]] = []
        for (start, verb), (end, _) in itertools.pairwise(contents.operations):
            if verb == b"m" and start[1] % 1 == 0.5:
                runs.append((float(start[0]), float(start[1]), float(end[0])))
            if verb == b"B" and len(runs) > 50:
                size = int(max(y for _, y, _ in runs) + 0.5) - 4
                modules = [[0] * size for _ in range(size)]
                for x, y, until in runs:
                    modules[int(y) - 4][int(x) - 4 : int(until) - 4] = [1] * int(until - x)
                found.append(modules)
            if verb in {b"B", b"S", b"f", b"n"}:
                runs = []
    return found


async def test_a_sheet_from_the_press_to_the_purse_over_http(scene: "Scene") -> None:  # noqa: PLR0915 - one long story
    site, term = Site(scene), await scene.open_term()
    teacher, other, (pupil, friend, _) = scene.teachers[0], scene.teachers[1], scene.pupils[0]
    head = await site.person("principal", scene.school)
    body: dict[str, Any] = {
        "id": str(new_id()),
        "batches": [{"points": 20, "count": 2}, {"points": 5, "count": 26}],
        "reason": "helps_others",
        "expires_on": str(datetime.now(UTC).date() + timedelta(days=90)),
        "note": "秋季运动会",
    }
    first, again = [await site.ask(teacher, "POST", "/sheets", body) for _ in range(2)]
    sheet = first.json()
    assert (first.status_code, again.status_code, again.json()) == (201, 201, sheet)
    none = {"vouchers": 0, "points": 0}
    assert sheet == {
        "id": body["id"],
        "term": str(term),
        "printer": str(teacher),
        "org": str(scene.school),
        "reason": "helps_others",
        "note": "秋季运动会",
        "printed_at": sheet["printed_at"],
        "expires_on": body["expires_on"],
        "printed": {"vouchers": 28, "points": 170},
        "deposited": none,
        "void": none,
        "expired": none,
        "open": {"vouchers": 28, "points": 170},
    }
    assert (await site.ask(teacher, "GET", "/quota")).json()["left"] == 830
    changed = {**body, "note": "别的"}
    assert (await site.ask(teacher, "POST", "/sheets", changed)).json()["type"] == "/problems/idempotency-mismatch"
    assert (await site.ask(other, "POST", "/sheets", body)).status_code == 404

    path = f"/sheets/{body['id']}"
    assert [(await site.ask(who, "POST", f"{path}/pdf")).status_code for who in (other, pupil, head)] == [404, 403, 404]
    lost = await site.ask(teacher, "POST", f"{path}/pdf")
    paper = await site.ask(teacher, "POST", f"{path}/pdf")
    assert (paper.status_code, paper.headers["content-type"], paper.headers["cache-control"]) == (
        201,
        "application/pdf",
        "no-store",
    )
    printed, gone = _codes_in(paper.content), _codes_in(lost.content)
    assert (len(set(printed)), len(printed), set(printed) & set(gone)) == (28, 28, set())
    qr = [segno.make(voucher_url("http://gongyu.test", "ezhou", codes.read(code) or "")) for code in printed]
    assert _drawn(paper.content) == [[list(row) for row in one.matrix] for one in qr]
    text = PdfReader(BytesIO(paper.content)).pages[0].extract_text()
    assert [text.count(words) for words in ("助人为乐", "武昌学校", body["expires_on"], "秋季运动会")] == [
        24,
        25,
        24,
        24,
    ]

    answer = await site.deposit(pupil, printed[0].lower().replace("-", " "))
    assert (answer.status_code, answer.json()["points"], answer.json()["balance"]) == (201, 20, 20)
    assert (await site.deposit(pupil, printed[2])).json()["balance"] == 25
    till = await site.deposit(other, printed[3], student=str(friend))
    assert (till.json()["student"], till.json()["balance"]) == (str(friend), 5)
    assert (await site.deposit(pupil, printed[4], student=str(friend))).status_code == 404
    assert (await site.deposit(teacher, printed[4])).status_code == 404

    purse = (await site.ask(pupil, "GET", f"/students/{pupil}/purse")).json()
    assert (purse["balance"], purse["earned"], purse["by_reason"]) == (25, 25, {"helps_others": 25})
    line = (await site.ask(pupil, "GET", f"/students/{pupil}/statement")).json()["items"][0]
    assert (line["kind"], line["points"], line["balance"], line["note"]) == ("deposit", 5, 25, "秋季运动会")
    view = (await site.ask(teacher, "GET", f"/classes/{scene.classes[0]}/equity")).json()
    assert sorted(one["awards"] for one in view["pupils"]) == [0, 1, 2]

    key = {"id": str(new_id()), "numbers": [28, 27]}
    assert (await site.ask(other, "POST", f"{path}/void", key)).status_code == 404
    for _ in range(2):
        voided = await site.ask(teacher, "POST", f"{path}/void", key)
        assert (voided.status_code, voided.json()["void"]) == (201, {"vouchers": 2, "points": 10})
    taken = await site.ask(teacher, "POST", f"{path}/void", {"id": str(new_id()), "numbers": [1, 5]})
    assert (taken.status_code, taken.json()["detail"][-5:]) == (409, "第 1 张")
    listed = (await site.ask(head, "GET", f"{path}/vouchers")).json()
    assert Counter(one["state"] for one in listed) == {"deposited": 3, "void": 2, "open": 23}
    done = (await site.ask(head, "POST", f"{path}/void", {"id": str(new_id())})).json()
    assert [done[state]["points"] for state in ("printed", "deposited", "void", "expired", "open")] == [
        170,
        30,
        140,
        0,
        0,
    ]
    assert (await site.ask(teacher, "GET", "/sheets")).json() == {"items": [done], "next": None}
    assert (await site.ask(head, "GET", "/school-sheets")).json() == {"items": [done], "next": None}
    assert (await site.ask(other, "GET", "/sheets")).json()["items"] == []
    assert (await site.ask(teacher, "GET", "/school-sheets")).status_code == 403
    assert (await site.ask(teacher, "GET", "/quota")).json()["left"] == 970
    assert (await scene.audit()).sound
    told = await scene.rows("SELECT count(*) FROM {s}.event WHERE type = 'points.awarded.v1'")
    assert told == [(3,)]


async def test_wrong_sheets_are_refused_field_by_field_and_change_nothing(scene: "Scene") -> None:
    site = Site(scene)
    await scene.open_term(quota=100)
    teacher, today = scene.teachers[0], datetime.now(UTC).date()
    good: dict[str, Any] = {"id": str(new_id()), "batches": [{"points": 2, "count": 1}], "reason": "honest"}
    cases: list[tuple[dict[str, Any], int, list[str]]] = [
        ({"batches": [{"points": 3, "count": 1}]}, 422, ["/batches/0/points"]),
        ({"batches": [{"points": 5, "count": 0}]}, 422, ["/batches/0/count"]),
        ({"batches": [{"points": 5, "count": "7"}]}, 422, ["/batches/0/count"]),
        ({"batches": [{"points": 5, "count": 2.0}]}, 422, ["/batches/0/count"]),
        ({"batches": []}, 422, ["/batches"]),
        ({"batches": [{"points": 2, "count": 200}] * 2}, 422, ["/batches"]),
        (
            {"reason": "nothing", "org": str(scene.root), "expires_on": str(today - timedelta(days=2))},
            422,
            ["/reason", "/org", "/expires_on"],
        ),
        ({"budget": str(new_id())}, 403, []),
        ({"batches": [{"points": 20, "count": 6}]}, 409, []),
    ]
    before = await scene.books()
    for change, status, places in cases:
        answer = await site.ask(teacher, "POST", "/sheets", {**good, **change})
        found = [error["pointer"] for error in answer.json().get("errors", [])]
        assert (answer.status_code, found) == (status, places), answer.text
    assert await scene.books() == before
    assert await scene.rows("SELECT count(*) FROM {s}.points_voucher") == [(0,)]


async def test_no_paper_promises_a_day_after_the_terms_last(scene: "Scene") -> None:
    site, teacher, today = Site(scene), scene.teachers[0], datetime.now(UTC).date()
    end = today + timedelta(days=60)
    async with scene.work() as session:
        days = {"starts_on": today - timedelta(days=60), "ends_on": end}
        session.add(AcademicSession(id=(term := new_id()), title="本学期", type="term", **days))
    await scene.open_term(id_=term)

    async def ask(day: date | None) -> Any:  # noqa: ANN401 - JSON
        batches = [{"points": 2, "count": 1}]
        body = {"id": str(new_id()), "batches": batches, "reason": "honest", "expires_on": day and str(day)}
        return (await site.ask(teacher, "POST", "/sheets", body)).json()

    late = end + timedelta(days=1)
    refused = await ask(late)
    assert (refused["status"], refused["errors"]) == (
        422,
        [{"pointer": "/expires_on", "detail": f"{late} 晚于学期最后一天 {end}"}],
    )
    assert [(await ask(day))["expires_on"] for day in (end, None)] == [str(end)] * 2
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(sa.text("UPDATE d_ezhou.academic_session SET ends_on = starts_on"))
    assert [(await ask(day))["expires_on"] for day in (today, None)] == [str(today)] * 2
    assert (await ask(today + timedelta(days=2)))["status"] == 422


async def test_a_missing_glyph_prints_nothing_and_leaves_the_paper_before_in_force(scene: "Scene") -> None:
    site = Site(scene)
    await scene.open_term()
    sheet, paper = await _print(scene, (5, 1), note="\U0002a6d6班")
    answer = await site.ask(scene.teachers[0], "POST", f"/sheets/{sheet}/pdf")
    assert (answer.status_code, "U+2A6D6" in answer.json()["detail"]) == (409, True)
    assert (await _deposit(scene, paper[0].code, scene.pupils[0][0])).balance == 5


# ── strangers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_wrong_spent_void_expired_and_reprinted_look_the_same(scene: "Scene") -> None:
    site = Site(scene)
    term = await scene.open_term()
    mallory = scene.pupils[1][0]
    sheet, paper = await _print(scene, (5, 3))
    await _deposit(scene, paper[0].code, scene.pupils[0][0])
    await _void(scene, sheet, 2)
    stale, (old, *_) = await _print(scene, (5, 1))
    async with scene.work() as session:
        await fresh_codes(scene.context(session), sheet=stale, printer=scene.teachers[0])
    _, (late,) = await _print(scene, (5, 1), expires_on=datetime.now(UTC).date())
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(
            sa.text("UPDATE d_ezhou.points_sheet SET expires_on = '2020-01-01' WHERE id <> :one"), {"one": sheet}
        )
    tries = {
        "wrong": codes.new_code(),
        "spent": paper[0].code,
        "void": paper[1].code,
        "reprinted": old.code,
        "expired": late.code,
    }
    mistyped = await site.deposit(mallory, "0000-0000-00001")
    assert (mistyped.status_code, mistyped.json()["errors"][0]["pointer"]) == (422, "/code")
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if ".points_" in statement or "attempt" in statement:  # a token's last use is noted beside, when it may be
            statements.append(statement)

    sa.event.listen(scene.platform.database.app.sync_engine, "before_cursor_execute", note)
    answers: dict[str, tuple[object, ...]] = {}
    for name, code in tries.items():
        statements.clear()
        answer = await site.deposit(mallory, code)
        told = {**answer.json(), "request_id": ""}
        answers[name] = (answer.status_code, told, sorted(set(answer.headers) - {"x-request-id"}), tuple(statements))
    sa.event.remove(scene.platform.database.app.sync_engine, "before_cursor_execute", note)
    assert len({repr(answer) for answer in answers.values()}) == 1, answers
    assert answers["wrong"][0] == 403
    await scene.close(term)
    closed = await site.deposit(mallory, paper[2].code)
    assert (closed.status_code, closed.json()["detail"]) == (403, answers["wrong"][1]["detail"])  # type: ignore[index]  # a dict
    assert (await scene.books())["purse"] == 5


async def test_guessing_is_slowed_down_for_a_person_and_for_an_address(scene: "Scene") -> None:
    site = Site(scene)
    await scene.open_term()
    _, paper = await _print(scene, (2, 3))
    mallory, honest = scene.pupils[0][0], scene.pupils[0][1]

    async def guess(who: UUID, times: int, address: str) -> Counter[int]:
        answers = [await site.deposit(who, codes.new_code(), address=address) for _ in range(times)]
        return Counter(answer.status_code for answer in answers)

    assert await guess(mallory, 12, "203.0.113.9") == {403: 10, 429: 2}
    right = await site.deposit(mallory, paper[0].code, address="203.0.113.9")
    assert (right.status_code, int(right.headers["retry-after"]) > 0) == (429, True)
    typing = [await site.deposit(mallory, "0000-0000-00001", address="203.0.113.9") for _ in range(3)]
    assert {answer.status_code for answer in typing} == {422}
    elsewhere = [await guess(mallory, 11, f"203.0.113.{n}") for n in (10, 11, 12)]
    assert sum(elsewhere, Counter())[403] == 20  # thirty for one person, wherever they are
    assert (await site.deposit(honest, paper[0].code, address="203.0.113.9")).status_code == 201
    crowd = [await site.person("student", scene.school) for _ in range(7)]
    many = sum([await guess(who, 10, "198.51.100.7") for who in crowd], Counter[int]())
    assert many == {403: 60, 429: 10}
    assert await site.sign_in(address="198.51.100.7") == 401  # the school may still sign in, whatever its pupils type
    assert (await site.deposit(honest, paper[1].code)).status_code == 201


async def test_a_deposit_sent_again_is_no_try_and_leaves_one_line_in_the_log(scene: "Scene") -> None:
    site = Site(scene)
    await scene.open_term()
    _, paper = await _print(scene, (2, 2))
    pupil, friend, teacher = scene.pupils[0][0], scene.pupils[0][1], scene.teachers[0]
    key = {"id": str(new_id())}
    first = await site.deposit(pupil, paper[0].code, **key)
    for _ in range(12):
        again = await site.deposit(pupil, paper[0].code, **key)
        assert (again.status_code, again.json()) == (201, first.json())
    wrong = []
    for _ in range(12):  # one spent voucher makes up for no wrong code
        wrong.append((await site.deposit(pupil, codes.new_code())).status_code)
        await site.deposit(pupil, paper[0].code, **key)
    assert wrong == [403] * 10 + [429] * 2
    till = {"id": str(new_id()), "student": str(friend)}
    for _ in range(2):
        assert (await site.deposit(teacher, paper[1].code, **till)).status_code == 201
    told = await scene.rows("SELECT subject FROM {s}.audit_line WHERE action = 'points.voucher_accepted'")
    assert told == [(f"person:{friend}",)]


async def test_a_deposits_key_is_there_for_whoever_made_it_alone(scene: "Scene") -> None:
    site = Site(scene)
    await scene.open_term()
    _, paper = await _print(scene, (2, 4))
    (pupil, friend, _), (till, colleague, _) = scene.pupils[0], scene.teachers
    own, theirs, award = str(new_id()), str(new_id()), await scene.give(friend, points=2)
    assert (await site.deposit(pupil, paper[0].code, id=own)).status_code == 201
    assert (await site.deposit(till, paper[1].code, id=theirs, student=str(friend))).status_code == 201
    cases: list[tuple[UUID, str, int, dict[str, str]]] = [
        (pupil, own, 2, {}),
        (friend, own, 0, {}),
        (friend, own, 2, {}),
        (till, own, 0, {"student": str(pupil)}),
        (till, theirs, 2, {"student": str(friend)}),
        (till, theirs, 1, {"student": str(pupil)}),
        (colleague, theirs, 1, {"student": str(friend)}),
        (friend, theirs, 1, {}),
        (friend, str(award.operation), 2, {}),
    ]
    answers = [await site.deposit(who, paper[n].code, id=key, **whose) for who, key, n, whose in cases]
    assert [answer.status_code for answer in answers] == [422, 404, 404, 404, 422, 422, 404, 404, 404]
    assert {answer.json()["type"] for answer in answers} == {"/problems/idempotency-mismatch", "/problems/not-found"}
    assert (await scene.books())["purse"] == 6


async def test_a_dump_of_the_database_has_no_code_in_it(scene: "Scene") -> None:
    site = Site(scene)
    await scene.open_term()
    sheet, _ = await _print(scene, (10, 4))
    printed = _codes_in((await site.ask(scene.teachers[0], "POST", f"/sheets/{sheet}/pdf")).content)
    assert (await site.deposit(scene.pupils[0][0], printed[0])).status_code == 201
    assert (await site.deposit(scene.pupils[0][0], printed[0])).status_code == 403
    dump: list[str] = []
    async with scene.platform.database.owner.begin() as connection:
        tables = await connection.execute(
            sa.text("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('gongyu', 'd_ezhou')")
        )
        for schema, table in tables.all():
            rows = await connection.execute(sa.text(f'SELECT t::text FROM "{schema}"."{table}" AS t'))  # noqa: S608 - our own tables
            dump += rows.scalars().all()
    whole = "\n".join(dump)
    assert sheet.hex[-12:] in whole.replace("-", "")
    for code in printed:
        for form in (code, code.replace("-", ""), code.encode().hex(), code.replace("-", "").encode().hex()):
            assert form.lower() not in whole.lower()


async def test_the_same_code_in_two_districts_is_two_vouchers(
    scene: "Scene",
    make_district: MakeDistrict,
    new_scene: "Callable[[Platform, Any], Awaitable[Scene]]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = await new_scene(scene.platform, await make_district("yangzhou", "[plugins.points]", name="扬州市"))
    monkeypatch.setattr(codes, "new_code", lambda: "0" * codes.LENGTH)
    for one in (scene, there):
        await one.open_term()
        await _print(one, (5, 1))
    hashes = [await one.rows("SELECT hash FROM {s}.points_voucher") for one in (scene, there)]
    assert hashes[0] != hashes[1]
    assert (await _deposit(scene, "0" * codes.LENGTH, scene.pupils[0][0])).balance == 5
    assert (await there.books()).get("purse", 0) == 0
    assert (await _deposit(there, "0" * codes.LENGTH, there.pupils[0][0])).balance == 5
    assert (await scene.audit()).sound
    assert (await there.audit()).sound


# ── what cannot happen twice ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def crowded(scene: "Scene") -> Any:  # noqa: ANN401 - a generator
    """The district, reached by 32 connections."""
    database = Database(scene.platform.database.url, connections=32)
    yield replace(scene, platform=replace(scene.platform, database=database))
    await database.close()


async def _ends(*verbs: "Awaitable[object]") -> Counter[str]:
    ends: Counter[str] = Counter()
    for end in await asyncio.gather(*verbs, return_exceptions=True):
        if isinstance(end, BaseException) and not isinstance(end, ProblemError):
            raise end
        ends[end.kind if isinstance(end, ProblemError) else "done"] += 1
    return ends


async def test_one_code_is_one_deposit_whoever_comes_at_once(crowded: "Scene") -> None:
    await crowded.open_term()
    pupils = [pupil for group in crowded.pupils for pupil in group]
    _, (paper,) = await _print(crowded, (20, 1))
    assert await _ends(*(_deposit(crowded, paper.code, pupils[n % 6]) for n in range(32))) == {
        "done": 1,
        "code-refused": 31,
    }
    _, (paper,) = await _print(crowded, (20, 1))
    key = new_id()
    assert await _ends(*(_deposit(crowded, paper.code, pupils[0], key=key, day_cap=1000) for _ in range(32))) == {
        "done": 32
    }
    assert (await crowded.books())["purse"] == 40
    assert (await crowded.audit()).sound


async def test_voiding_twice_at_once_is_one_answer(crowded: "Scene") -> None:
    await crowded.open_term()
    sheet, _ = await _print(crowded, (20, 2), (5, 2))
    for numbers, points in (((1, 3), 25), ((), 25)):
        key = new_id()
        assert await asyncio.gather(*(_void(crowded, sheet, *numbers, key=key) for _ in range(32))) == [points] * 32
    assert await _ends(*(_void(crowded, sheet, 1) for _ in range(4))) == {"conflict": 4}
    assert (await crowded.books())["voucher"] == 0
    assert (await crowded.audit()).sound


async def test_deposits_voids_reprints_and_awards_at_once_lose_nothing(crowded: "Scene") -> None:
    await crowded.open_term()
    sheet, paper = await _print(crowded, (5, 40))
    pupils = [pupil for group in crowded.pupils for pupil in group]
    verbs: list[Awaitable[object]] = []
    for n, one in enumerate(paper):
        verbs.append(_deposit(crowded, one.code, pupils[n % 6], day_cap=1000))
        if n % 8 == 7:
            verbs.append(_void(crowded, sheet))
            verbs.append(_print(crowded, (2, 5)))
            verbs.append(crowded.give(*crowded.pupils[0], points=2, day_cap=1000))
    ends = await _ends(*verbs)
    assert set(ends) <= {"done", "code-refused"}
    rows = await crowded.rows(
        "SELECT entry_id IS NULL, count(*) FROM {s}.points_voucher WHERE sheet_id = :id GROUP BY 1", id=sheet
    )
    assert rows == [(False, 40)]
    books = await crowded.books()
    assert (books["voucher"], -books["issue"]) == (50, books["quota"] + books["purse"] + 50)
    assert (await crowded.audit()).sound


async def test_the_database_refuses_a_second_deposit_by_raw_sql(scene: "Scene") -> None:
    """What a slip in our own SQL could try."""
    term = await scene.open_term()
    _, paper = await _print(scene, (5, 2), (10, 1))
    await _deposit(scene, paper[0].code, scene.pupils[0][0])
    await scene.give(scene.pupils[0][1], points=2)
    rows = await scene.rows(
        "SELECT v.id, v.number, s.account, s.source FROM {s}.points_voucher AS v "
        "JOIN {s}.points_sheet AS s ON s.id = v.sheet_id"
    )
    (colleagues,) = (await scene.rows("SELECT id FROM {s}.points_account WHERE owner_id = :id", id=scene.teachers[1]))[
        0
    ]
    ids = {number: id_ for id_, number, _, _ in rows}
    _, _, account, source = rows[0]
    other, _ = await _print(scene, (5, 1))
    foreign = (await scene.rows("SELECT account FROM {s}.points_sheet WHERE id = :id", id=other))[0][0]
    purse = (await scene.rows("SELECT id FROM {s}.points_account WHERE kind = 'purse' AND posted = 2"))[0][0]
    reason = (await scene.rows("SELECT id FROM {s}.points_reason LIMIT 1"))[0][0]
    good: dict[str, object] = {
        "kind": "deposit",
        "debit": account,
        "credit": purse,
        "credit_kind": "purse",
        "points": 5,
        "voucher": ids[2],
        "reason": reason,
        "day": date(2020, 1, 1),
        "term": term,
    }
    cases: dict[str, tuple[dict[str, object], str]] = {
        "spent": ({"voucher": ids[1]}, "points_voucher_open"),
        "unknown": ({"voucher": new_id()}, "points_voucher_open"),
        "worth more": ({"points": 10}, "points_voucher_open"),
        "of another sheet": ({"debit": foreign}, "points_voucher_open"),
        "after its day": ({"day": date(2099, 1, 1)}, "points_voucher_open"),
        "without a voucher": ({"voucher": None}, "ck_points_entry_voucher"),
        "for nothing": ({"reason": None}, "ck_points_entry_reason"),
        "void of a spent one": (
            {"kind": "void", "credit": source, "credit_kind": "quota", "voucher": ids[1]},
            "points_voucher_open",
        ),
        "void for a colleague": ({"kind": "void", "credit": colleagues, "credit_kind": "quota"}, "points_voucher_open"),
        "no denomination": ({"points": 3}, "ck_points_entry_denomination"),
    }
    insert = (
        "INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points, "
        "reason_id, voucher_id, fingerprint, day, day_cap) VALUES (:id, :id, :kind, :term, :debit, 'voucher', :credit, "
        ":credit_kind, :points, :reason, :voucher, '\\x00', :day, 60)"
    )
    before = await scene.books()
    for name, (change, constraint) in cases.items():
        with pytest.raises(sa.exc.DBAPIError, match=constraint):
            await scene.rows(insert, id=new_id(), **{**good, **change})
        assert await scene.books() == before, name
    for sql in (
        "UPDATE {s}.points_voucher SET entry_id = NULL",
        "UPDATE {s}.points_voucher SET points = 20",
        "DELETE FROM {s}.points_voucher",
        "UPDATE {s}.points_sheet SET expires_on = '2099-01-01'",
        "DELETE FROM {s}.points_sheet",
    ):
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            await scene.rows(sql)
    await scene.rows(insert, id=new_id(), **good)
    assert (await scene.audit()).sound


async def test_the_database_has_a_sheet_paid_for_by_the_quota_it_names(scene: "Scene") -> None:
    """Or what was printed out of one quota could be voided into another."""
    term = await scene.open_term()
    mine, theirs = [
        (await scene.rows("SELECT id FROM {s}.points_account WHERE owner_id = :id", id=teacher))[0][0]
        for teacher in scene.teachers[:2]
    ]
    sheet = new_id()
    account = account_id("voucher", owner=sheet, term=term)
    async with scene.work() as session:
        await ensure_accounts(session, "voucher", [sheet], term)
    values = {"sheet": sheet, "term": term, "account": account, "source": mine, "printer": scene.teachers[0]}
    await scene.rows(
        "INSERT INTO {s}.points_sheet (id, term_id, account, source, source_kind, printer, reason_id, expires_on) "
        "SELECT :sheet, :term, :account, :source, 'quota', :printer, id, '2099-01-01' FROM {s}.points_reason LIMIT 1",
        **values,
    )
    pay = (
        "INSERT INTO {s}.points_entry (id, operation, kind, term_id, debit, debit_kind, credit, credit_kind, points, "
        "fingerprint, day) VALUES (:id, :id, 'print', :term, :debit, 'quota', :credit, 'voucher', 10, '\\x00', now())"
    )
    with pytest.raises(sa.exc.DBAPIError, match="points_sheet_source"):
        await scene.rows(pay, id=new_id(), term=term, debit=theirs, credit=account)
    assert (await scene.books())["voucher"] == 0
    await scene.rows(pay, id=new_id(), term=term, debit=mine, credit=account)
    assert (await scene.books())["voucher"] == 10


async def test_auditor_finds_a_voucher_that_was_tampered_with(scene: "Scene") -> None:
    await scene.open_term()
    _, paper = await _print(scene, (5, 2))
    await _deposit(scene, paper[0].code, scene.pupils[0][0])
    async with scene.platform.database.owner.begin() as connection:
        await connection.execute(sa.text("UPDATE d_ezhou.points_voucher SET entry_id = NULL"))
        await connection.execute(sa.text("UPDATE d_ezhou.points_voucher SET points = 20 WHERE number = 2"))
    found = {line.name: line.broken for line in (await scene.audit()).invariants if line.broken}
    assert found == {"misprinted": 1, "vouchers": 1, "misheld": 1}


# ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deposit_counts_as_earned_and_can_be_reversed_and_deposited_again(scene: "Scene") -> None:
    from gongyu_points.reversing import reverse  # noqa: PLC0415 - the only test that needs it

    term = await scene.open_term()
    pupil, friend = scene.pupils[0][:2]
    _, paper = await _print(scene, (20, 4))
    for one in paper[:3]:
        await _deposit(scene, one.code, pupil, day_cap=60)
    with pytest.raises(ProblemError, match="in one day"):
        await _deposit(scene, paper[3].code, pupil, day_cap=60)
    with pytest.raises(ProblemError, match="in one day"):
        await scene.give(pupil, points=2, day_cap=60)
    rows = await scene.rows("SELECT id FROM {s}.points_entry WHERE kind = 'deposit' ORDER BY seq LIMIT 1")
    async with scene.work() as session:
        await reverse(
            scene.context(session),
            new=NewReversal(new_id(), "存错了人"),
            entry=UUID(str(rows[0][0])),
            officer=scene.teachers[2],
            orgs=None,
        )
    assert (await _deposit(scene, paper[0].code, friend)).balance == 20
    assert (await _deposit(scene, paper[3].code, pupil, day_cap=60)).balance == 60
    assert await scene.books() == {"issue": -3000, "quota": 2920, "voucher": 0, "purse": 80}
    assert (await scene.audit()).sound
    await scene.close(term)
    assert (await scene.audit()).sound


async def test_a_pupil_deposits_no_more_in_a_day_than_their_school_says(scene: "Scene") -> None:
    await scene.open_term()
    _, paper = await _print(scene, (5, 2))
    async with scene.work() as session:
        context = scene.context(session)
        lower = {"3142010001": msgspec.structs.replace(context.settings, day_cap=8)}
        context, pupil = replace(context, schools=lower), scene.pupils[0][0]
        first, second = [NewDeposit(new_id(), one.code) for one in paper]
        await deposit(context, new=first, code=first.code, student=pupil, actor=pupil)
        with pytest.raises(ProblemError, match="in one day"):
            await deposit(context, new=second, code=second.code, student=pupil, actor=pupil)


async def test_what_nobody_deposited_expires_with_its_day_and_with_the_term(scene: "Scene") -> None:
    site, term = Site(scene), await scene.open_term()
    today = datetime.now(UTC).date()
    sheet, paper = await _print(scene, (10, 3), expires_on=today + timedelta(days=30))
    await _deposit(scene, paper[0].code, scene.pupils[0][0], now=datetime.now(UTC) + timedelta(days=29))
    with pytest.raises(ProblemError, match="not valid"):
        await _deposit(scene, paper[1].code, scene.pupils[0][0], now=datetime.now(UTC) + timedelta(days=32))
    await _void(scene, sheet, 2)
    assert {(await scene.close(term)).points, (await scene.close(term)).points} == {3000 - 10, 0}
    listed = (await site.ask(scene.teachers[0], "GET", "/sheets")).json()["items"]
    assert [(one["deposited"]["points"], one["void"]["points"], one["expired"]["points"]) for one in listed] == [
        (10, 10, 10)
    ]
    with pytest.raises(ProblemError, match="not open"):
        await _void(scene, sheet)
    assert await scene.books() == {"issue": -3000, "quota": 0, "voucher": 0, "purse": 10, "expired": 2990}
    assert (await scene.audit()).sound


async def test_copy_of_a_printers_data_names_no_pupil_and_erasure_keeps_the_books(scene: "Scene") -> None:
    await scene.open_term()
    pupil = scene.pupils[0][0]
    _, paper = await _print(scene, (5, 2))
    await _deposit(scene, paper[0].code, pupil)
    async with scene.work() as session:
        mine = await copy_of(scene.context(session), person=pupil)
        teachers = await copy_of(scene.context(session), person=scene.teachers[0])
        erased = await erase(scene.context(session), person=scene.teachers[0])
    assert [(part.name, [(row["kind"], row["points"]) for row in part.rows]) for part in mine[:2]] == [
        ("points", [("积分券入账 voucher", 5)]),
        ("points_given", []),
    ]
    assert [(row["kind"], row["points"]) for row in teachers[1].rows] == [("印制积分券 vouchers printed", 10)]
    assert str(pupil) not in repr(teachers)
    assert [one.kept is not None for one in erased[:2]] == [True, True]
    assert (await scene.audit()).sound


def test_an_unknown_sheet_cannot_be_voided_from_the_terminal(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path / "var")
    deployment.apply("ezhou", "[plugins.points]")
    answer = deployment.gongyu("points", "vouchers", "void", "ezhou", str(new_id()), "--yes", check=False)
    assert (answer.returncode, "there is no such sheet" in answer.stderr) == (2, True)

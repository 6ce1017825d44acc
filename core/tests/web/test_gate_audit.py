"""Whatever a sensitive permission opens is in the audit log when the first byte of the answer leaves (promise 4).

`ward` is a plugin that exists only here; none of its handlers writes an audit line of its own.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any, Final

import httpx
import pluggy
import pytest
import sqlalchemy as sa
from litestar import get, head, post
from litestar.response import Stream
from litestar.types import Message, Receive, Scope, Send

from gongyu import hookspecs
from gongyu.access import audit
from gongyu.access.models import AuditLine
from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.host import Host, Plugin
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform
from gongyu.plugin import Permission, PluginInfo, SignedIn, Text
from gongyu.testing.plugin import MakeDistrict
from gongyu.web import Call, ProblemError
from gongyu.web.app import create_app
from gongyu.web.observe import Observe

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
NOTE: Final = "怕黑，夜里常醒"
PUPIL: Final = "person:7f3c"
WORD: Final = Text(zh="病房", en="Ward")
READ: Final = Permission("ward.note.read", WORD, ("districtAdministrator",), sensitive=True)
SEARCH: Final = Permission("ward.note.search", WORD, ("districtAdministrator", "teacher"), approval=True)
RELATED: Final = SignedIn("by relation")


@get("/note", permission=READ.name, operation_id="ward_read")
async def read(call: Call) -> str:
    await call.db()
    return NOTE


@get("/noted", permission=READ.name, operation_id="ward_read_noted")
async def read_noted(call: Call) -> str:
    await call.session()
    call.opened_record(PUPIL, ground="counsellor of", note=7)
    return NOTE


@head("/head", permission=READ.name, operation_id="ward_head")
async def peek() -> None: ...


@get("/stream", permission=READ.name, operation_id="ward_stream")
async def stream(call: Call) -> Stream:
    async def pieces() -> AsyncIterator[str]:
        for _ in range(3):
            yield NOTE

    call.opened_record(PUPIL)
    return Stream(pieces())


@get("/related", permission=RELATED, operation_id="ward_related")
async def related(call: Call) -> str:
    call.opened_record(PUPIL, action="ward.note.read", ground="mentor of")
    return NOTE


@get("/plain", permission=RELATED, operation_id="ward_plain")
async def plain(call: Call) -> str:
    await call.db()
    return "nobody's"


@get("/missing", permission=READ.name, operation_id="ward_missing")
async def missing(call: Call) -> str:
    call.opened_record(PUPIL)
    raise ProblemError("not-found")


@get("/broken", permission=READ.name, operation_id="ward_broken")
async def broken(call: Call) -> str:
    await call.session()
    raise ValueError(NOTE)


@post("/notes", permission=READ.name, operation_id="ward_write")
async def write(call: Call) -> str:
    session = await call.session()
    await session.execute(sa.update(Person).values(given_name="写过"))
    call.opened_record(PUPIL)
    return NOTE


@post("/decisions", permission=READ.name, operation_id="ward_decide")
async def decide(call: Call) -> str:
    await audit.record(await call.session(), action="ward.decided", actor=call.actor, subject=PUPIL)
    call.already_recorded()
    return NOTE


@get("/search", permission=SEARCH.name, operation_id="ward_search")
async def search() -> str:
    return NOTE


@pytest.fixture(scope="session")
def host() -> Host:
    routes = [read, read_noted, peek, stream, related, plain, missing, broken, write, decide, search]
    info = PluginInfo(name="ward", title=WORD, contract=">=1.0,<2")
    module = ModuleType("gongyu_ward")
    plugin = Plugin(
        info=info, distribution="ward", version="1", module=module, routes=routes, permissions=[READ, SEARCH]
    )
    manager = pluggy.PluginManager("gongyu")
    manager.add_hookspecs(hookspecs)
    manager.register(module, name="ward")
    return Host({"ward": plugin}, [], manager)


@dataclass
class Ward:
    """The application, and somebody at its gate who looks into the log at the moment an answer begins."""

    app: Observe
    platform: Platform
    state: DistrictState
    tokens: Mapping[str, str]
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    begins: int = 0

    async def lines(self) -> list[tuple[str, str, str]]:
        query = sa.select(AuditLine.action, AuditLine.subject, AuditLine.ground).order_by(AuditLine.seq)
        async with self.platform.database.read(self.state.district) as connection:
            rows = (await connection.execute(query.where(AuditLine.seq > self.begins))).all()
        return [(row.action, row.subject, row.ground) for row in rows]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.seen = await self.lines()
            await send(message)

        await self.app(scope, receive, watched)

    async def ask(
        self, method: str, path: str, who: str = "admin", *, json: object = None, **headers: str
    ) -> httpx.Response:
        """Every line that is there in the end was there when the answer began."""
        async with self.platform.database.read(self.state.district) as connection:
            self.begins = (await connection.execute(sa.select(sa.func.max(AuditLine.seq)))).scalar() or 0
        sent = {"authorization": f"Bearer {self.tokens[who]}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        transport = httpx.ASGITransport(app=self)  # type: ignore[arg-type]  # ASGI's types differ in name
        async with httpx.AsyncClient(transport=transport, base_url="http://gongyu.test") as client:
            answer = await client.request(method, f"/api/v1/ezhou/ward{path}", headers=sent, json=json)
        assert self.seen == await self.lines()
        return answer


@pytest.fixture
async def ward(platform: Platform, make_district: MakeDistrict) -> Ward:
    state = await make_district("ezhou", "[plugins.ward]")
    tokens: dict[str, str] = {}
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.type == "district"))).scalar_one()
        for name, role in (("teacher", "teacher"), ("admin", "districtAdministrator")):
            person = new_id()
            await session.execute(sa.insert(Person).values(id=person, name=name))
            held = {"person_id": person, "org_id": root, "role": role, "begins_on": date(2020, 9, 1)}
            await session.execute(sa.insert(Membership).values(id=new_id(), **held))
            expires = datetime.now(UTC) + timedelta(days=1)
            tokens[name] = await create_token(session, person=person, name="t", scopes=["*"], expires_at=expires)
    return Ward(create_app(platform), platform, state, tokens)


ROLE: Final = "districtAdministrator of the whole district"


@pytest.mark.parametrize(
    ("method", "path", "lines"),
    [
        ("GET", "/note", [("ward.note.read", "/api/v1/ezhou/ward/note", ROLE)]),
        ("GET", "/noted", [("ward.note.read", PUPIL, "counsellor of")]),
        ("HEAD", "/head", [("ward.note.read", "/api/v1/ezhou/ward/head", ROLE)]),
        ("GET", "/stream", [("ward.note.read", PUPIL, ROLE)]),
        ("GET", "/related", [("ward.note.read", PUPIL, "mentor of")]),
        ("POST", "/notes", [("ward.note.read", PUPIL, ROLE)]),
        ("POST", "/decisions", [("ward.decided", PUPIL, "")]),
        ("GET", "/plain", []),
    ],
)
async def test_each_use_is_in_the_log_once_before_the_answer_begins(
    ward: Ward, method: str, path: str, lines: list[tuple[str, str, str]]
) -> None:
    answer = await ward.ask(method, path)
    assert answer.is_success, answer.text
    assert await ward.lines() == lines


@pytest.mark.parametrize("path", ["/note", "/stream", "/notes"])
async def test_unwritable_log_keeps_the_record_closed(ward: Ward, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(audit, "record_all", full)
    answer = await ward.ask("POST" if path == "/notes" else "GET", path)
    assert (answer.status_code, NOTE in answer.text) == (503, False)
    async with ward.platform.database.read(ward.state.district) as connection:
        written = sa.select(sa.func.count()).select_from(Person).where(Person.given_name.is_not(None))
        assert (await connection.execute(written)).scalar() == 0


async def test_refusals_leave_no_line_of_use(ward: Ward) -> None:
    for path, status in (("/missing", 404), ("/broken", 500)):
        assert (await ward.ask("GET", path)).status_code == status
        assert await ward.lines() == []
    for method, path in (("GET", "/note"), ("HEAD", "/head"), ("POST", "/notes")):
        assert (await ward.ask(method, path, "teacher")).status_code == 403
    async with ward.platform.database.read(ward.state.district) as connection:
        query = sa.select(AuditLine.action, AuditLine.details).where(
            AuditLine.action.in_(["access.refused", READ.name])
        )
        found: list[Any] = [tuple(row) for row in await connection.execute(query)]
    assert [(action, details["permission"]) for action, details in found] == [("access.refused", READ.name)]


async def test_replayed_answer_is_a_use_of_its_own(ward: Ward) -> None:
    first = await ward.ask("POST", "/notes", idempotency_key="k")
    again = await ward.ask("POST", "/notes", idempotency_key="k")
    assert (first.text, again.text, again.headers["idempotency-replayed"]) == (NOTE, NOTE, "true")
    assert await ward.lines() == [(READ.name, "/api/v1/ezhou/ward/notes", ROLE)]
    mismatch = await ward.ask("POST", "/decisions", idempotency_key="k")
    assert (mismatch.status_code, await ward.lines()) == (422, [])


async def test_what_needs_an_approval_waits_for_somebody_else_to_give_it(ward: Ward) -> None:
    asking = {
        "permission": SEARCH.name,
        "reason": "期末核对小明的情况",
        "until": f"{datetime.now(UTC) + timedelta(days=1):%FT%TZ}",
    }
    assert (await ward.ask("GET", "/search", "teacher")).status_code == 403
    asked = await ward.ask("POST", "/../approvals", "teacher", json=asking)
    assert (asked.status_code, asked.json()["state"]) == (201, "open")
    mine = await ward.ask("POST", "/../approvals", json=asking)
    answers = {name: f"/../approvals/{one.json()['id']}/decision" for name, one in (("teacher", asked), ("mine", mine))}
    assert (await ward.ask("POST", answers["teacher"], "teacher", json={"grant": True})).status_code == 403
    assert (await ward.ask("POST", answers["mine"], json={"grant": True})).status_code == 404  # nobody's own
    waiting = await ward.ask("GET", "/../approvals")
    assert {one["reason"] for one in waiting.json()} == {"期末核对小明的情况"}
    assert (await ward.ask("GET", "/search", "teacher")).status_code == 403
    granted = await ward.ask("POST", answers["teacher"], json={"grant": True})
    assert (granted.status_code, granted.json()["state"]) == (201, "granted")
    assert [action for action, *_ in await ward.lines()] == ["approval.granted"]
    assert (await ward.ask("POST", answers["teacher"], json={"grant": False})).status_code == 404  # once
    found = await ward.ask("GET", "/search", "teacher")
    assert (found.status_code, found.text) == (200, NOTE)
    async with ward.platform.database.read(ward.state.district) as connection:
        query = sa.select(AuditLine.action, AuditLine.details).where(AuditLine.seq > ward.begins)
        assert [tuple(row) for row in await connection.execute(query)] == [
            (SEARCH.name, {"approval": asked.json()["id"]})
        ]
        stored = (await connection.execute(sa.text("SELECT string_agg(a::text, '') FROM d_ezhou.approval a"))).scalar()
    assert stored is not None
    assert "期末核对".encode().hex() not in stored
    wrong = [asking | {"permission": READ.name}, asking | {"until": "2020-01-01T00:00:00Z"}]
    assert [(await ward.ask("POST", "/../approvals", "teacher", json=body)).status_code for body in wrong] == [422, 422]
    async with ward.platform.database.work(ward.state.district) as session:
        await session.execute(sa.text("UPDATE d_ezhou.approval SET until = now() - interval '1 second'"))
    assert (await ward.ask("GET", "/search", "teacher")).status_code == 403

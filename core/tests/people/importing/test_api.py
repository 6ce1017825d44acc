"""A roster over HTTP: uploaded, planned and applied by a process of its own, watched and questioned meanwhile."""

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Request
from openpyxl import load_workbook

from gongyu.access.tokens import create_token
from gongyu.people.generate import generate, write_oneroster
from gongyu.people.models import Membership, Org, Person, RosterImport
from gongyu.web.app import MAX_BODY, create_app
from gongyu.web.roster_routes import MAX_UPLOAD

if TYPE_CHECKING:
    from tests.people.importing.conftest import Some, Town, Write

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")


@pytest.fixture
async def client(town: "Town") -> AsyncGenerator[httpx.AsyncClient]:
    async with town.platform.database.work(town.state.district) as session:
        root = (await session.execute(sa.select(Org.id))).scalar_one()
        [person] = (await session.execute(sa.insert(Person).values(name="管理员").returning(Person.id))).scalars()
        row = {"person_id": person, "org_id": root, "role": "districtAdministrator", "begins_on": datetime(2020, 1, 1)}  # noqa: DTZ001 - a day
        await session.execute(sa.insert(Membership).values(row))
        expires = datetime.now(UTC) + timedelta(days=1)
        token = await create_token(session, person=person, name="test", scopes=["*"], expires_at=expires)
    transport = httpx.ASGITransport(app=create_app(town.platform))  # type: ignore[arg-type]  # ASGI's types differ in name
    headers = {"authorization": f"Bearer {token}", "accept-language": "en"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test/api/v1/ezhou/roster", headers=headers
    ) as made:
        yield made


def _zip(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
    return out.getvalue()


async def _until(client: httpx.AsyncClient, id_: str, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(200):
        found = (await client.get(f"/imports/{id_}")).json()
        if found["state"] in states:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(found)


async def _upload(client: httpx.AsyncClient, content: bytes, name: str = "roster.zip") -> dict[str, Any]:
    answer = await client.post("/imports", params={"file": name}, content=content)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_roster_goes_from_upload_to_applied(client: httpx.AsyncClient, town: "Town", write: "Write") -> None:
    began = await _upload(client, _zip(write()))
    assert began["state"] == "running"
    planned = await _until(client, began["id"], "planned", "failed")
    assert (planned["state"], planned["dialect"]) == ("planned", "oneroster-1.2")
    assert {one["kind"]: one["added"] for one in planned["changes"]}["person"] == 5
    assert await town.rows(sa.select(sa.func.count()).select_from(Person)) == [(1,)]
    answer = await client.post(f"/imports/{began['id']}/apply", json={})
    assert answer.status_code == 202, answer.text
    applied = await _until(client, began["id"], "applied", "refused", "failed")
    assert (applied["state"], applied["reason"]) == ("applied", None)
    assert await town.rows(sa.select(sa.func.count()).select_from(Person)) == [(6,)]
    assert (await client.post(f"/imports/{began['id']}/apply", json={})).status_code == 409
    listed = (await client.get("/imports")).json()
    assert [one["id"] for one in listed["items"]] == [began["id"]]
    await asyncio.sleep(0.3)
    assert not [*(town.platform.config.data / "uploads").iterdir()]


async def test_a_plan_in_the_making_keeps_nobody_waiting_and_says_how_far_it_is(
    client: httpx.AsyncClient, town: "Town", tmp_path: Path
) -> None:
    """It has a process of its own: on the server's, not one of these would be answered before it is done."""
    path = tmp_path / "district.zip"
    write_oneroster(
        generate(3, schools=4, pupils=4000, name="示范区", slug="demo", today=datetime.now(UTC).date()), path
    )
    began = await _upload(client, path.read_bytes())
    answered, stages = 0, set()
    while (found := (await client.get(f"/imports/{began['id']}")).json())["state"] == "running":
        others = await asyncio.gather(
            *(client.get("http://test/api/v1/ezhou/me") for _ in range(3)), client.get("/imports")
        )
        assert {answer.status_code for answer in others} == {200}
        answered += len(others)
        stages.add(found["stage"])
        await asyncio.sleep(0.05)
    assert (found["state"], {one["kind"]: one["added"] for one in found["changes"]}["care"] > 0) == ("planned", True)
    assert answered > 20
    assert stages - {"waiting"}
    assert await town.rows(sa.select(sa.func.count()).select_from(Person)) == [(1,)]


async def test_findings_are_read_in_pages_and_as_a_workbook(
    client: httpx.AsyncClient, write: "Write", instead: "Some"
) -> None:
    wrong = [("x1", "nobody", "primary", "student", "", "", "s1"), ("x2", "p1", "secondary", "teacher", "", "", "s9")]
    began = await _upload(client, _zip(write(roles=instead("roles", *wrong))))
    await _until(client, began["id"], "planned")
    first = (await client.get(f"/imports/{began['id']}/findings", params={"limit": 1})).json()
    second = (await client.get(f"/imports/{began['id']}/findings", params={"limit": 1, "cursor": first["next"]})).json()
    codes = [page["items"][0]["code"] for page in (first, second)]
    assert (codes, second["next"]) == (["reference_unknown"] * 2, None)
    assert (await client.get(f"/imports/{began['id']}/findings", params={"cursor": "-1"})).status_code == 400
    book = load_workbook(io.BytesIO((await client.get(f"/imports/{began['id']}/findings.xlsx")).content))
    assert [row[1] for row in book.worksheets[0].iter_rows(min_row=2, values_only=True)] == codes


async def test_what_is_no_roster_is_refused_with_a_reason(client: httpx.AsyncClient, town: "Town") -> None:
    began = await _upload(client, b"nothing", name="../../etc/passwd\0.txt")
    refused = await _until(client, began["id"], "refused", "failed", "planned")
    assert (refused["state"], refused["file"]) == ("refused", "passwd.txt")
    assert refused["reason"] == "there is no roster to import; nothing was changed"
    uploads = town.platform.config.data / "uploads"
    assert [path.relative_to(uploads).as_posix() for path in uploads.rglob("*.txt")] == [f"{began['id']}/passwd.txt"]


async def test_interrupted_import_is_seen_and_started_again(
    client: httpx.AsyncClient, town: "Town", write: "Write"
) -> None:
    began = await _upload(client, _zip(write()))
    busy = await client.post("/imports", params={"file": "b.zip"}, content=b"x")
    assert busy.status_code == 409
    await _until(client, began["id"], "planned")
    silent = {"state": "running", "seen_at": datetime.now(UTC) - timedelta(minutes=2)}
    async with town.platform.database.work(town.state.district) as session:
        await session.execute(sa.update(RosterImport).values(silent))
    assert (await client.get(f"/imports/{began['id']}")).json()["state"] == "interrupted"
    assert (await client.post(f"/imports/{began['id']}/apply", json={})).status_code == 202
    assert (await _until(client, began["id"], "applied", "failed"))["state"] == "applied"


async def test_too_large_an_upload_leaves_nothing(client: httpx.AsyncClient, town: "Town") -> None:
    headers = {"content-length": str(MAX_UPLOAD + 1)}
    answer = await client.post("/imports", params={"file": "big.zip"}, content=b"PK", headers=headers)
    assert answer.status_code == 413
    assert not [*(town.platform.config.data / "uploads").iterdir()]
    assert await town.rows(sa.select(RosterImport.id)) == []


async def test_nobody_else_may(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]
    for method, path in (
        ("GET", "/imports"),
        ("POST", "/imports?file=x"),
        ("GET", f"/imports/{'0' * 8}-0000-0000-0000-{'0' * 12}"),
    ):
        assert (await client.request(method, path)).status_code == 401


async def test_key_makes_nobody_hold_an_upload_in_memory(
    client: httpx.AsyncClient, write: "Write", monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not exempt reads the body whole to compare it, and no more of it than bodies may have."""
    whole = Request.body
    read: list[str] = []

    async def noted(request: Request[Any, Any, Any]) -> bytes:
        read.append(request.url.path)
        return await whole(request)

    monkeypatch.setattr(Request, "body", noted)
    headers = {"idempotency-key": "twice"}
    content = _zip(write()) + b"\0" * MAX_BODY  # more than any other route takes
    answer = await client.post("/imports", params={"file": "roster.zip"}, content=content, headers=headers)
    assert (answer.status_code, read) == (202, [])
    await _until(client, answer.json()["id"], "planned", "refused")
    too_long = await client.post(f"/imports/{answer.json()['id']}/plan", content=content, headers=headers)
    assert (too_long.status_code, too_long.json()["type"]) == (413, "/problems/too-large")

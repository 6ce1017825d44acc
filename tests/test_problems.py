"""Each kind of refusal has a type of its own, in the caller's language."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa

from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict
from gongyu.web.app import create_app

NOTICES = "/api/v1/ezhou/bulletin/notices"


async def _token(platform: Platform, role: str) -> str:
    async with platform.database.work(platform.state("ezhou").district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.parent_id.is_(None)))).scalar_one()
        person = Person(name=role)
        session.add(person)
        await session.flush()
        session.add(Membership(person_id=person.id, org_id=root, role=role, begins_on=date(2020, 1, 1)))
        await session.flush()
        expires = datetime.now(UTC) + timedelta(days=1)
        return await create_token(session, person=person.id, name="test", scopes=["*"], expires_at=expires)


async def test_each_refusal_has_a_type_of_its_own(platform: Platform, make_district: MakeDistrict) -> None:
    await make_district("ezhou", "[plugins.bulletin]")
    teacher = {"Authorization": f"Bearer {await _token(platform, 'teacher')}"}
    student = {"Authorization": f"Bearer {await _token(platform, 'student')}"}
    transport = httpx.ASGITransport(cast("Any", create_app(platform)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gongyu.example") as client:

        async def refusal(method: str, path: str, headers: Mapping[str, str], **body: object) -> tuple[int, str]:
            answer = await client.request(method, path, headers=headers, **body)  # type: ignore[arg-type]  # httpx's own
            assert answer.headers["content-type"] == "application/problem+json"
            return answer.status_code, answer.json()["type"].removeprefix("/problems/")

        assert {
            "another district": await refusal("GET", "/api/v1/nowhere/me", teacher),
            "a plugin that is off": await refusal("GET", "/api/v1/ezhou/kindness/count", teacher),
            "nobody": await refusal("GET", NOTICES, {}),
            "no permission": await refusal("POST", NOTICES, student, json={"title": "a", "body": "b"}),
            "a cursor of one's own": await refusal("GET", f"{NOTICES}?cursor=xyz", teacher),
            "not JSON": await refusal("POST", NOTICES, teacher, content=b'{"title":'),
            "too large": await refusal("POST", NOTICES, teacher, content=b'"' + b"a" * 11_000_000 + b'"'),
            "wrong fields": await refusal("POST", NOTICES, teacher, json={"title": ""}),
            "another method": await refusal("DELETE", NOTICES, teacher),
            "another place": await refusal("GET", "/api/v2", teacher),
        } == {
            "another district": (404, "unknown-district"),
            "a plugin that is off": (404, "plugin-off"),
            "nobody": (401, "not-signed-in"),
            "no permission": (403, "forbidden"),
            "a cursor of one's own": (400, "bad-cursor"),
            "not JSON": (400, "malformed-json"),
            "too large": (413, "too-large"),
            "wrong fields": (422, "invalid"),
            "another method": (405, "method-not-allowed"),
            "another place": (404, "not-found"),
        }
        wrong = await client.post(
            NOTICES, headers={**teacher, "Accept-Language": "en"}, json={"title": "", "body": 5, "colour": "red"}
        )
        assert [(one["pointer"], one["detail"]) for one in wrong.json()["errors"]] == [
            ("/title", 'out of range: text (length 1 – 100) is expected, found ""'),
            ("/body", "wrong type: text (length 1 – 10000) is expected, found 5"),
            ("/colour", "there is no such field"),
        ]


async def test_a_body_is_read_as_it_is(platform: Platform, make_district: MakeDistrict) -> None:
    """Numbers, truths and texts are not made of each other; Litestar by itself would take all of these."""
    await make_district("ezhou", "[plugins.mentor]")
    headers = {"Authorization": f"Bearer {await _token(platform, 'principal')}", "Accept-Language": "en"}
    transport = httpx.ASGITransport(cast("Any", create_app(platform)))
    body = {"school": str(new_id()), "title": "秋季双选", "soft_cap": "5", "list_length": "many", "term": 7}
    async with httpx.AsyncClient(transport=transport, base_url="http://gongyu.example") as client:
        answer = await client.post("/api/v1/ezhou/mentor/rounds", headers=headers, json=body)
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/soft_cap", "/list_length", "/term"}


@pytest.mark.parametrize(("asked", "title"), [("en", "Sign in first"), ("zh-CN", "请先登录"), ("fr", "请先登录")])
async def test_a_problem_speaks_the_language_of_the_caller(
    platform: Platform, make_district: MakeDistrict, asked: str, title: str
) -> None:
    await make_district("ezhou")
    transport = httpx.ASGITransport(cast("Any", create_app(platform)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gongyu.example") as client:
        answer = await client.get("/api/v1/ezhou/me", headers={"Accept-Language": asked})
    assert answer.json()["title"] == title

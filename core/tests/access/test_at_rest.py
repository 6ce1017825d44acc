"""What a stolen copy of the database tells: nothing that was told in confidence. And keys that are changed."""

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from gongyu.access import second_factor
from gongyu.access.models import Account
from gongyu.access.rotation import SEALED, reseal
from gongyu.access.sign_in import SignIn
from gongyu.access.tokens import create_token
from gongyu.database.model import is_sealed, new_id
from gongyu.districts.models import DistrictRow
from gongyu.districts.service import apply_file, read_file
from gongyu.events import webhooks
from gongyu.people.care import open_care, sealed_care
from gongyu.people.models import CareCategory, Person
from gongyu.people.rights.models import RightsRequest
from gongyu.people.rights.sealing import sealed
from gongyu.web.app import create_app
from gongyu.web.door import Door
from gongyu.web.refusals import Refusals

from ..dump import dump, readable  # noqa: TID252 - test folders are no packages and have no absolute names

if TYPE_CHECKING:
    from tests.access.conftest import Scene

pytestmark = pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning")
ID_NUMBER, PHONE, CARE = "420704201509013528", "13986412233", "留守儿童，随奶奶生活，父亲入狱"
REGISTER_NUMBER, CATEGORY, CLIENT_SECRET = f"G{ID_NUMBER}", "left_behind", "hush-5f2d-client"
RIGHT = "correct horse battery"
OIDC = f"""[district]
slug = "ezhou"
name = "鄂州市"

[access.oidc]
issuer = "https://id.example.org"
client_id = "gongyu"
client_secret = "{CLIENT_SECRET}"
"""


async def everything(scene: "Scene") -> str:
    """The district's own schema, and the one that all districts share."""
    return await dump(scene.platform.database, scene.state.district.schema, "gongyu")


async def plant(scene: "Scene") -> dict[str, bytes]:
    """One of each secret, through the doors they come in by; returns them as they are."""
    person, district, keys = scene.people.student, scene.state.district, scene.keys
    await scene.account(scene.people.admin, "guan")
    await apply_file(scene.platform, read_file(scene.platform, OIDC, file="ezhou.toml"), actor="operator:test")
    async with scene.work() as session:
        numbers = {
            "id_number": sealed(keys, district, "id_number", person, ID_NUMBER),
            "phone": sealed(keys, district, "phone", person, PHONE),
            "identifier": sealed(keys, district, "identifier", person, REGISTER_NUMBER),
            "id_number_hash": keys.keyed_hash(district.slug, ID_NUMBER.encode(), purpose=b"person.id_number"),
            "phone_hash": keys.keyed_hash(district.slug, PHONE.encode(), purpose=b"person.phone"),
        }
        await session.execute(sa.update(Person).where(Person.id == person).values(numbers))
        care = sealed_care(scene.platform.seals(district), id_=new_id(), category=CATEGORY, value="single")
        await session.execute(sa.insert(CareCategory).values(student_id=person, begins_on=scene.long_ago, **care))
        asked = RightsRequest(
            kind="correction", person_id=person, asked_as="guardian", asked_at=datetime.now(UTC), due_on=scene.long_ago
        )
        session.add(asked)
        await session.flush()
        asked.wish = sealed(keys, district, "wish", asked.id, CARE)
        uri = await second_factor.propose(session, keys=keys, person=scene.people.admin, issuer="共育")
        until = datetime.now(UTC) + timedelta(hours=1)
        token = await create_token(session, person=scene.people.admin, name="x", scopes=["*"], expires_at=until)
    door = Door(SignIn(scene.platform, scene.passwords), Refusals(scene.platform.database))
    transport = httpx.ASGITransport(app=create_app(scene.platform, door=door))  # type: ignore[arg-type]  # ASGI's types differ in name
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "kept"}
    async with httpx.AsyncClient(transport=transport, base_url="https://gongyu.test/api/v1/ezhou") as browser:
        made = await browser.post("/webhooks", json={"url": "https://93.184.215.14/"}, headers=headers)
        await browser.post("/session", json={"username": RIGHT, "password": "guan"})  # into the wrong fields
        await browser.post("/session", json={"username": "guan", "password": RIGHT})
        cookies = list(browser.cookies.jar)
    secret = made.json()["secret"]
    return {
        "identity number": ID_NUMBER.encode(),
        "telephone": PHONE.encode(),
        "register number": REGISTER_NUMBER.encode(),
        "care": CARE.encode(),
        "care category": CATEGORY.encode(),
        "client secret": CLIENT_SECRET.encode(),
        "second factor": parse_qs(urlsplit(uri).query)["secret"][0].encode(),
        "webhook": base64.b64decode(secret.removeprefix("whsec_")),
        "webhook as shown": secret.encode(),
        "token": token.encode(),
        "session": str(cookies[0].value).encode(),
        "password": RIGHT.encode(),
    }


async def test_dump_of_a_district_tells_no_secret(scene: "Scene") -> None:
    planted = await plant(scene)
    dumped = await everything(scene)
    assert [what for what, secret in planted.items() if readable(dumped, secret)] == []
    assert "生同学" in dumped  # it is the whole dump that was looked through


async def test_rotation_seals_everything_anew_and_is_finished_after_a_break(
    scene: "Scene", monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = await plant(scene)
    district, keys = scene.state.district, scene.keys
    keys.rotate(district.slug)
    with monkeypatch.context() as patched:
        patched.setattr("gongyu.access.rotation._anew", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await reseal(scene.platform, district, actor="operator:test")
    done = [await reseal(scene.platform, district, actor="operator:test") for _ in range(2)]
    # Three numbers, wish, second factor, webhook, the answer kept for its key, care category, rules of access.
    assert done == [9, 0]
    dumped = await everything(scene)
    old, new = (f"a256gcm.{version}.".encode().hex() for version in (1, 2))
    assert (dumped.count(old), dumped.count(new)) == (0, 9)
    assert [what for what, secret in planted.items() if readable(dumped, secret)] == []
    async with scene.platform.database.read(district) as connection:
        (hook,) = (await connection.execute(sa.select(webhooks._webhook))).all()
        secret = sa.select(Account.totp_secret).where(Account.person_id == scene.people.admin)
        totp = (await connection.execute(secret)).scalar_one() or b""
    assert webhooks.signing_secrets(keys, district.slug, hook, now=scene.clock.now) == [planted["webhook"]]
    context = b"account.totp:" + scene.people.admin.bytes
    assert keys.decrypt(district.slug, totp, context=context) == planted["second factor"]
    assert [line.details["texts"] for line in await scene.audited("keys.resealed")] == [9, 0]
    async with scene.work() as session:
        (care,) = (await session.execute(sa.select(CareCategory.id, CareCategory.sealed))).all()
    assert open_care(scene.platform.seals(district), care.id, care.sealed) == (CATEGORY, "single")
    await scene.platform.registry.load()
    provider = scene.platform.state(district.slug).access.oidc
    assert provider is not None
    assert provider.client_secret == CLIENT_SECRET


def test_no_sealed_column_is_forgotten() -> None:
    """Every column of bytes is a hash, says of itself that it is sealed, or is on the list that a rotation goes by."""
    known = {f"{one.column.table.name}.{one.column.name}" for one in SEALED}
    tables = [*Person.metadata.tables.values(), *DistrictRow.metadata.tables.values()]
    columns = {
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary) and not column.name.endswith("hash") and not is_sealed(column)
    }
    hashes = {"audit_line.previous", "idempotency.fingerprint", "sign_in_attempt.name", "sign_in_attempt.address"}
    assert columns - hashes == known

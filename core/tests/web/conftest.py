"""Two plugins that exist only here, with routes of every kind: `shelf` is on in the district, `attic` is off."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import pluggy
import pytest
import sqlalchemy as sa
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, Struct

from gongyu import hookspecs
from gongyu.access.tokens import create_token
from gongyu.database.model import new_id
from gongyu.districts.registry import DistrictState
from gongyu.host import Host, Plugin
from gongyu.people.models import Membership, Org, Person
from gongyu.platform import Platform
from gongyu.plugin import Permission, PluginInfo, Public, SignedIn, Text
from gongyu.testing.plugin import MakeDistrict
from gongyu.web import Call, Cursor, Limit, Page, ProblemError
from gongyu.web.app import create_app
from gongyu.web.observe import Observe

SHELVED = datetime(2026, 9, 1, 8, tzinfo=UTC)
READ = Permission("shelf.book.read", Text(zh="看书目", en="Read the books"), ("districtAdministrator", "student"))
ADD = Permission("shelf.book.add", Text(zh="添书", en="Add books"), ("districtAdministrator",), sensitive=True)


class Chapter(Struct, frozen=True):
    """A part of a book, which has parts itself."""

    title: str
    parts: "list[Chapter]" = []


class NewBook(Struct, frozen=True, forbid_unknown_fields=True):
    """A book to put on the shelf."""

    title: Annotated[str, Meta(min_length=1, max_length=100, examples=["草房子"])]
    pages: Annotated[int, Meta(ge=1, le=5000)] = 100
    lent_until: date | None = None


class Book(Struct, frozen=True):
    """A book; `<i>markup</i>` in a description is text."""

    id: UUID
    title: str
    pages: int
    shelved_at: datetime
    chapters: list[Chapter]


def book(new: NewBook, id_: UUID | None = None) -> Book:
    return Book(id_ or new_id(), new.title, new.pages, SHELVED, [Chapter("一", [Chapter("1.1")])])


@get("/books", permission=READ.name, operation_id="list_books", title=Text(zh="列出书目", en="List the books"))
async def list_books(kind: Literal["novel", "verse"] = "novel", limit: Limit = 20, cursor: Cursor = None) -> Page[Book]:
    """Novels unless `kind` says otherwise."""
    if cursor is not None:
        raise ProblemError("bad-cursor")
    return Page([book(NewBook(kind))][:limit])


@post("/books", permission=ADD.name, operation_id="shelf_add_book", summary="Add a book")
async def add_book(call: Call, data: NewBook) -> Book:
    await call.session()
    return book(data)


@get("/books/{book_id:uuid}", permission=SignedIn("the same for everybody"), operation_id="shelf_read_book")
async def read_book(book_id: UUID) -> Book:
    return book(NewBook("草房子"), book_id)


@get("/count", permission=Public("a figure"), operation_id="list_books", summary="How many?", sync_to_thread=False)
def count() -> int:
    return 1


def _plugin(name: str, title: Text, routes: list[HTTPRouteHandler], *permissions: Permission) -> Plugin:
    info = PluginInfo(
        name=name, title=title, contract=">=1.0,<2", summary=Text(zh="<b>只</b>为测试", en="<b>only</b> a test")
    )
    module = ModuleType(f"gongyu_{name}")
    return Plugin(info=info, distribution=name, version="1", module=module, routes=routes, permissions=permissions)


@pytest.fixture(scope="session")
def host() -> Host:
    manager = pluggy.PluginManager("gongyu")
    manager.add_hookspecs(hookspecs)
    shelf = _plugin("shelf", Text(zh="书架", en="Book shelf"), [list_books, add_book, read_book], READ, ADD)
    attic = _plugin("attic", Text(zh="阁楼", en="Attic"), [count])
    for plugin in (shelf, attic):
        manager.register(plugin.module, name=plugin.name)
    return Host({"shelf": shelf, "attic": attic}, [], manager)


@dataclass(frozen=True)
class Site:
    """A running application without a server: its district, and a token of the district's administrator."""

    app: Observe
    state: DistrictState
    token: str

    @property
    def transport(self) -> httpx.ASGITransport:
        app: Any = self.app  # Litestar's words for ASGI's types are not httpx's
        return httpx.ASGITransport(app)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport, base_url="http://gongyu.test")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        async with self.client() as client:
            return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
async def site(platform: Platform, make_district: MakeDistrict) -> Site:
    state = await make_district("ezhou", "[plugins.shelf]")
    async with platform.database.work(state.district) as session:
        root = (await session.execute(sa.select(Org.id).where(Org.type == "district"))).scalar_one()
        person = new_id()
        await session.execute(sa.insert(Person).values(id=person, name="管局长"))
        role = {"person_id": person, "org_id": root, "role": "districtAdministrator", "begins_on": date(2020, 9, 1)}
        await session.execute(sa.insert(Membership).values(id=new_id(), **role))
        expires = datetime.now(UTC) + timedelta(days=1)
        token = await create_token(session, person=person, name="测试", scopes=["*"], expires_at=expires)
    return Site(create_app(platform), state, token)

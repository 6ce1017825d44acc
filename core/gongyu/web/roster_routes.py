"""Rosters over HTTP: upload, look at the plan and the findings, apply, watch."""

import asyncio
import io
import shutil
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.di import Provide
from litestar.params import Parameter

from gongyu.database.model import new_id
from gongyu.people.importing import stored
from gongyu.people.importing.background import Imports, Order, clear_old_uploads, upload_folder, uploaded_file
from gongyu.people.importing.plan import Tally
from gongyu.people.importing.tracking import register
from gongyu.people.roster import Finding, write_xlsx
from gongyu.platform import Platform
from gongyu.text import Language, Text
from gongyu.web.call import Call
from gongyu.web.paging import Cursor, Limit, Page
from gongyu.web.problems import ProblemError

__all__ = ["MAX_UPLOAD", "roster_routes"]

_PERMISSION: Final = "district.roster.manage"
MAX_UPLOAD: Final = 256 * 1024 * 1024
_PIECE: Final = 1024 * 1024
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ImportOut(msgspec.Struct, frozen=True):
    """An import. `state`: `running`, `planned` (to be applied), `applied`, `refused` (see `reason`), `failed`, or
    `interrupted`: its process is gone, nothing of it was kept, start it again.
    """

    id: UUID
    file: str
    dialect: str | None
    mode: str | None
    state: str
    stage: str
    done: int
    total: int
    changes: list[Tally]
    removals: int
    confirmation_needed: bool
    reason: str | None
    findings: int
    actor: str
    started_at: datetime
    finished_at: datetime | None


class FindingOut(msgspec.Struct, frozen=True):
    """Something wrong in the files: where, what, and how many rows are not taken over because of it."""

    severity: str
    code: str
    file: str
    row: int
    column: str
    text: str
    value: str
    blocks: int


class Confirmation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where `confirmation_needed`, the number of `removals` repeated: whoever sends it has seen it."""

    confirm_removals: Annotated[int, msgspec.Meta(ge=0)] | None = None


FileName = Annotated[
    str, Parameter(min_length=1, max_length=200, description="The file's name, as its findings are to call it.")
]
Dialect = Annotated[
    str | None, Parameter(max_length=50, description="The format, such as `oneroster-1.2`; absent: found out.")
]


@get("/imports", permission=_PERMISSION, operation_id="list_roster_imports", summary="List the imports, newest first")
async def list_imports(call: Call, limit: Limit = 50, cursor: Cursor = None) -> Page[ImportOut]:
    before = None if cursor is None else _as_id(cursor)
    found = await stored.list_imports(await call.db(), limit=limit + 1, before=before)
    shown = [_out(one, call.language) for one in found[:limit]]
    return Page(shown, str(shown[-1].id) if len(found) > limit else None)


@post(
    "/imports",
    permission=_PERMISSION,
    keyless=True,  # its body would have to be read whole first; and a plan made twice has changed nothing
    operation_id="upload_roster",
    summary="Upload a roster (the file is the body) and have it planned; nothing is changed yet",
    status_code=202,
    request_max_body_size=MAX_UPLOAD,
)
async def upload(
    request: Request[Any, Any, Any], call: Call, imports: Imports, file: FileName, dialect: Dialect = None
) -> ImportOut:
    await _refuse_when_busy(call)
    id_ = new_id()
    folder = upload_folder(call.platform, id_)
    path = folder / _safe(file)
    try:
        await _receive(request, call.platform, path)
        async with call.platform.database.work(call.district) as session:
            await register(session, id_=id_, file=path.name, dialect=dialect, actor=call.actor)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    return await _start(call, imports, id_, path, apply=False)


@get("/imports/{id:uuid}", permission=_PERMISSION, operation_id="read_roster_import", summary="How far an import is")
async def read_import(call: Call, id: UUID) -> ImportOut:  # noqa: A002 - the path's own name
    return _out(await _found(call, id), call.language)


@post(
    "/imports/{id:uuid}/apply",
    permission=_PERMISSION,
    operation_id="apply_roster",
    summary="Apply a planned import, or one that was refused or interrupted",
    status_code=202,
)
async def apply(call: Call, imports: Imports, id: UUID, data: Confirmation) -> ImportOut:  # noqa: A002 - as above
    found = await _found(call, id)
    if found.state == "applied":
        raise ProblemError("conflict", Text(zh="已经导入过了", en="it has been applied already"))
    if found.confirmation_needed and data.confirm_removals != found.removals:
        said = Text(zh="应为 {n}", en="{n} is expected").format(n=found.removals)
        raise ProblemError("invalid", errors=[("/confirm_removals", said)])
    return await _again(call, imports, found, apply=True, confirm=data.confirm_removals)


@post(
    "/imports/{id:uuid}/plan",
    permission=_PERMISSION,
    operation_id="plan_roster",
    summary="Plan an uploaded roster once more",
    status_code=202,
)
async def plan(call: Call, imports: Imports, id: UUID) -> ImportOut:  # noqa: A002 - as above
    return await _again(call, imports, await _found(call, id), apply=False)


@get(
    "/imports/{id:uuid}/findings",
    permission=_PERMISSION,
    operation_id="list_roster_findings",
    summary="What is wrong in the files, what blocks most rows first",
)
async def list_findings(call: Call, id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Page[FindingOut]:  # noqa: A002 - as above
    at = int(cursor) if cursor is not None and cursor.isascii() and cursor.isdigit() else 0
    if cursor is not None and str(at) != cursor:
        raise ProblemError("bad-cursor", Text(zh="请从第一页重新开始", en="start again from the first page"))
    found = await _findings(call, id)
    shown = [
        FindingOut(
            one.severity, one.code, one.file, one.row, one.column, one.text.pick(call.language), one.value, one.blocks
        )
        for one in found[at : at + limit]
    ]
    return Page(shown, str(at + limit) if len(found) > at + limit else None)


@get(
    "/imports/{id:uuid}/findings.xlsx",
    permission=_PERMISSION,
    operation_id="download_roster_findings",
    summary="The findings as a workbook",
    media_type=_XLSX,
)
async def download_findings(call: Call, id: UUID) -> Response[bytes]:  # noqa: A002 - as above
    found, language = await _findings(call, id), call.language

    def write() -> bytes:
        out = io.BytesIO()
        write_xlsx(found, out, language)
        return out.getvalue()

    headers = {"content-disposition": f'attachment; filename="findings-{id}.xlsx"', "cache-control": "no-store"}
    return Response(await asyncio.to_thread(write), media_type=_XLSX, headers=headers)


def _out(one: stored.StoredImport, language: Language) -> ImportOut:
    fields = {name: getattr(one, name) for name in ImportOut.__struct_fields__}
    return ImportOut(**{**fields, "reason": one.reason.pick(language) if one.reason else None})


async def _found(call: Call, id_: UUID) -> stored.StoredImport:
    found = await stored.find_import(await call.db(), id_)
    if found is None:
        raise ProblemError("not-found")
    return found


async def _findings(call: Call, id_: UUID) -> list[Finding]:
    found = await stored.findings_of(await call.db(), id_)
    if found is None:
        raise ProblemError("not-found")
    return found


async def _refuse_when_busy(call: Call) -> None:
    if await stored.is_busy(await call.db()):
        raise ProblemError("conflict", Text(zh="另一份名册正在导入", en="another roster is being imported"))


def _safe(name: str) -> str:
    """The last part of a name, without anything a path could be made of."""
    plain = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable() and c not in ":\0")
    return plain.strip(". ")[-100:] or "roster"


async def _receive(request: Request[Any, Any, Any], platform: Platform, path: Path) -> None:
    """To disk as it comes, in pieces of a megabyte, without keeping the event loop waiting for the disk."""

    def begin() -> Any:  # noqa: ANN401 - a file open for writing
        clear_old_uploads(platform)
        path.parent.mkdir(parents=True, mode=0o700)
        return path.open("xb")

    out = await asyncio.to_thread(begin)
    try:
        piece = bytearray()
        async for chunk in request.stream():
            piece += chunk
            if len(piece) >= _PIECE:
                await asyncio.to_thread(out.write, bytes(piece))
                piece.clear()
        await asyncio.to_thread(out.write, bytes(piece))
    finally:
        await asyncio.to_thread(out.close)


async def _again(
    call: Call, imports: Imports, found: stored.StoredImport, *, apply: bool, confirm: int | None = None
) -> ImportOut:
    await _refuse_when_busy(call)
    path = await asyncio.to_thread(uploaded_file, call.platform, found.id)
    if path is None:
        gone = Text(zh="上传的文件已不在，请重新上传", en="the upload is not there any more; upload it again")
        raise ProblemError("conflict", gone)
    return await _start(call, imports, found.id, path, apply=apply, confirm=confirm)


async def _start(
    call: Call, imports: Imports, id_: UUID, path: Path, *, apply: bool, confirm: int | None = None
) -> ImportOut:
    async with call.platform.database.work(call.district) as session:
        await stored.begin_again(session, id_)
    found = await _found(call, id_)
    order = Order(
        slug=call.district.slug,
        id=id_,
        path=str(path),
        actor=call.actor,
        dialect=found.dialect,
        apply=apply,
        confirm_removals=confirm,
    )
    imports.start(call.platform, order)
    return _out(found, call.language)


def _as_id(cursor: str) -> UUID:
    try:
        return UUID(cursor)
    except ValueError:
        restart = Text(zh="请从第一页重新开始", en="start again from the first page")
        raise ProblemError("bad-cursor", restart) from None


def roster_routes() -> Router:
    imports = Imports()
    return Router(
        "/roster",
        route_handlers=[list_imports, upload, read_import, apply, plan, list_findings, download_findings],
        dependencies={"imports": Provide(lambda: imports, sync_to_thread=False)},
        tags=["roster"],
    )

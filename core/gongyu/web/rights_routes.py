"""The rights of people over their data, over HTTP: consents, copy, correction, erasure.

What concerns one person is found by the asker's relation to them, in the query: a person they have nothing to do with
and one that does not exist are the same 404.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import Request, Response, Router, get, post

from gongyu.access.authenticate import changed
from gongyu.access.relations import holds, students_in
from gongyu.people.models import Demographics, Guardianship, Membership, Person
from gongyu.people.rights import consent, requests
from gongyu.people.rights.contract import Erased, Reader
from gongyu.people.rights.copy import NobodyError, collect
from gongyu.people.rights.copy_archive import pack
from gongyu.people.rights.corrections import Fields, faults
from gongyu.people.rights.declared import purposes_in
from gongyu.people.rights.erasure import NotWholeError
from gongyu.people.rights.models import RightsRequest
from gongyu.people.rights.periods import ADULT, birthday, midnight_of, today_in
from gongyu.people.rights.retention import categories_in
from gongyu.plugin import SignedIn
from gongyu.text import Text
from gongyu.web.call import Call
from gongyu.web.paging import Cursor, Limit, Page, Paged
from gongyu.web.problems import ProblemError, problem_response
from gongyu.web.rights_schemas import (
    ConsentOut,
    NewCorrection,
    NewDecision,
    NewRequest,
    NewWord,
    OutcomeOut,
    PaperWord,
    RequestLine,
    RequestOut,
    SaidOut,
)

__all__ = ["rights_routes"]

_RELATED: Final = SignedIn("one's own data, and that of children one is the guardian of")
_DECIDE: Final = "district.rights.decide"
_ENTER: Final = "district.consent.record"


async def _related(call: Call, person: UUID) -> Reader:
    """As what the asker may act for this person.

    Raises:
        ProblemError: `not-found` for nobody, and for everybody they have nothing to do with.
    """
    principal = call.principal
    session, today = await call.session(), today_in(call.district, call.now)
    living = sa.select(Person.id).where(Person.id == person, Person.erased_at.is_(None))
    if person == principal.person:
        if (await session.execute(living)).first():
            return "self"
        raise ProblemError("not-found")
    bonds = (
        sa.select(Guardianship.is_legal, Demographics.birth_date)
        .outerjoin(Demographics, Demographics.person_id == Guardianship.student_id)
        .where(
            Guardianship.student_id.in_(living),
            Guardianship.guardian_id == principal.person,
            Guardianship.contact_allowed,
            holds(Guardianship, today),
        )
    )
    found = (await session.execute(bonds)).all()
    # With the 18th birthday a guardianship is over, whatever the roster says (民法典 17).
    if not found or ((born := found[0].birth_date) and birthday(born, ADULT) <= today):
        raise ProblemError("not-found")
    return "carer" if all(bond.is_legal is False for bond in found) else "guardian"


def _opened(call: Call, person: UUID, reader: Reader, action: str) -> None:
    """Whoever reads what is somebody else's is written down; nobody is for reading their own."""
    if reader != "self":
        call.opened_record(f"person:{person}", ground=reader, action=action)


async def _consents(call: Call, person: UUID) -> list[ConsentOut]:
    purposes = purposes_in(call.platform, call.state)
    found = await consent.standings(
        await call.session(), person=person, purposes=purposes.values(), on=today_in(call.district, call.now)
    )
    return [_consent_out(call, one) for one in found or ()]


def _consent_out(call: Call, one: consent.Standing) -> ConsentOut:
    return ConsentOut(
        purpose=one.purpose.name,
        title=one.purpose.title.pick(call.language),
        text=one.purpose.text.pick(call.language),
        version=one.purpose.version,
        sensitive=one.purpose.sensitive,
        state=one.state,
        allowed=one.allowed,
        ground=one.ground.pick(call.language),
        renew=one.renew,
        speaks=one.speaks,
        history=[
            SaidOut(said.version, said.word, said.capacity, said.said_by, said.channel, said.at) for said in one.history
        ],
    )


async def _say(
    call: Call, person: UUID, data: NewWord, *, by: UUID, channel: consent.Channel = "online", at: datetime
) -> ConsentOut:
    purpose = purposes_in(call.platform, call.state).get(data.purpose)
    if purpose is None:
        raise ProblemError("invalid", errors=[("/purpose", Text(zh="没有这个目的", en="there is no such purpose"))])
    session = await call.session()
    try:
        await consent.say(
            session,
            person=person,
            purpose=purpose,
            version=data.version,
            word=data.word,
            by=by,
            channel=channel,
            actor=call.actor,
            now=at,
        )
    except consent.NewTextError as error:
        raise ProblemError("conflict", error.text) from error
    except consent.ConsentRefusedError as error:
        raise ProblemError("forbidden", error.text) from error
    today = today_in(call.district, call.now)
    standings = await consent.standings(session, person=person, purposes=[purpose], on=today)
    return _consent_out(call, (standings or [])[0])


@get("/me/consents", permission=_RELATED, operation_id="read_my_consents", summary="What I consented to, and may")
async def read_my_consents(call: Call) -> list[ConsentOut]:
    await _related(call, call.principal.person)
    return await _consents(call, call.principal.person)


@post("/me/consents", permission=_RELATED, operation_id="say_my_consent", summary="Consent, refuse or withdraw")
async def say_my_consent(call: Call, data: NewWord) -> ConsentOut:
    await _related(call, call.principal.person)
    return await _say(call, call.principal.person, data, by=call.principal.person, at=call.now)


@get(
    "/people/{person:uuid}/consents",
    permission=_RELATED,
    operation_id="read_consents",
    summary="Each purpose, its text, and how things stand for a child of mine or for me",
)
async def read_consents(call: Call, person: UUID) -> list[ConsentOut]:
    _opened(call, person, await _related(call, person), "consent.read")
    return await _consents(call, person)


@post(
    "/people/{person:uuid}/consents",
    permission=_RELATED,
    operation_id="say_consent",
    summary="Consent, refuse or withdraw, for a child of mine or for me",
)
async def say_consent(call: Call, person: UUID, data: NewWord) -> ConsentOut:
    await _related(call, person)
    return await _say(call, person, data, by=call.principal.person, at=call.now)


@post(
    "/people/{person:uuid}/consents/paper",
    permission=_ENTER,
    operation_id="enter_consent",
    summary="Enter what a guardian, or a person from 14 on, has signed on paper",
)
async def enter_consent(call: Call, person: UUID, data: PaperWord) -> ConsentOut:
    """It counts from the day it was signed: whoever was no guardian on that day signed for nothing."""
    today = today_in(call.district, call.now)
    if data.signed_on > today:
        late = Text(zh="签署日期不能晚于今天", en="it cannot have been signed after today")
        raise ProblemError("invalid", errors=[("/signed_on", late)])
    if call.verdict is None:
        raise ProblemError("forbidden")
    known = students_in(call.verdict, today=today).where(Membership.person_id == person)
    if (await (await call.session()).execute(known)).first() is None:
        raise ProblemError("not-found")
    at = call.now if data.signed_on == today else midnight_of(call.district, data.signed_on)
    return await _say(call, person, data, by=data.by, channel="paper", at=at)


@get(
    "/people/{person:uuid}/copy",
    permission=_RELATED,
    operation_id="copy_person",
    summary="All data about a child of mine or me, as a zip",
    media_type="application/zip",
)
async def copy_person(call: Call, person: UUID) -> Response[bytes]:
    reader = await _related(call, person)
    copy = await collect(
        call.platform,
        call.state,
        await call.session(),
        person=person,
        reader=reader,
        actor=call.actor,
        now=call.now,
    )
    categories = [category for _, category in categories_in(call.platform, call.state)]
    headers = {
        "content-disposition": f'attachment; filename="gongyu-{person}.zip"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    packed = pack(copy, timezone=call.district.timezone, categories=categories)
    return Response(packed, media_type="application/zip", headers=headers)


@get(
    "/people/{person:uuid}/requests",
    permission=_RELATED,
    operation_id="read_requests_about",
    summary="What I asked about a child of mine or me, and the answers",
)
async def read_requests_about(call: Call, person: UUID) -> list[RequestOut]:
    _opened(call, person, await _related(call, person), "request.read")
    found = await requests.asked_about(
        await call.session(), keys=call.platform.keys, person=person, reader=call.principal.person
    )
    return [_request_out(call, one) for one in found]


@post(
    "/people/{person:uuid}/corrections",
    permission=_RELATED,
    operation_id="ask_correction",
    summary="Ask for something wrong to be corrected",
)
async def ask_correction(call: Call, person: UUID, data: NewCorrection) -> RequestOut:
    errors: list[tuple[str, Text]] = []
    if data.fields is not None:
        found = faults(data.fields, today=today_in(call.district, call.now))
        errors = [(f"/fields/{name}".rstrip("/"), text) for name, text in found]
    elif not data.wish.strip():
        errors = [("", Text(zh="请写明字段，或说明要更正什么", en="name the fields, or say what is to be corrected"))]
    if errors:
        raise ProblemError("invalid", errors=errors)
    return await _ask(call, "correction", person, data.wish, data.fields)


@post(
    "/people/{person:uuid}/erasures",
    permission=_RELATED,
    operation_id="ask_erasure",
    summary="Ask for data to be erased",
)
async def ask_erasure(call: Call, person: UUID, data: NewRequest) -> RequestOut:
    return await _ask(call, "erasure", person, data.wish)


async def _ask(call: Call, kind: requests.Kind, person: UUID, wish: str, fields: Fields | None = None) -> RequestOut:
    reader = await _related(call, person)
    session, keys = await call.session(), call.platform.keys
    asked = await requests.ask(
        session,
        keys=keys,
        kind=kind,
        person=person,
        wish=wish,
        fields=fields,
        by=call.principal.person,
        asked_as=reader,
        actor=call.actor,
        now=call.now,
    )
    return _shown(call, await requests.find(session, keys=keys, request=asked))


_OPEN_ONLY: Final = sa.bindparam("open_only", type_=sa.Boolean())
_TODAY: Final = sa.bindparam("today", type_=sa.Date())
_LINES: Final = Paged(
    sa.select(
        RightsRequest.id,
        RightsRequest.kind,
        RightsRequest.person_id,
        RightsRequest.asked_as,
        RightsRequest.asked_at,
        RightsRequest.due_on,
        RightsRequest.state,
        sa.and_(RightsRequest.decided_at.is_(None), RightsRequest.due_on < _TODAY).label("overdue"),
        requests.TO_BE_DONE.label("still_to_be_done"),
        requests.STILL_IN_SOURCE.label("still_in_source"),
    ).where(requests.WITHIN, sa.or_(~_OPEN_ONLY, RightsRequest.decided_at.is_(None), requests.TO_BE_DONE)),
    key=[RightsRequest.due_on, RightsRequest.id],
    row=lambda row: RequestLine(*row),
)


@get(
    "/people/requests",
    permission=_DECIDE,
    operation_id="list_rights_requests",
    summary="Requests for correction and erasure to answer or to finish, those due first",
)
async def list_rights_requests(
    call: Call,
    limit: Limit = 20,
    cursor: Cursor = None,
    open_only: bool = True,  # noqa: FBT001, FBT002 - a query parameter
) -> Page[RequestLine]:
    orgs = None if call.orgs is None else list(call.orgs)
    today = today_in(call.district, call.now)
    page = await _LINES.page(call, limit=limit, cursor=cursor, orgs=orgs, open_only=open_only, today=today)
    lines = [msgspec.structs.replace(line, to_do=_to_do(call, line)) for line in page.items]
    return Page(lines, page.next)


@get(
    "/people/requests/{request_id:uuid}",
    permission=_DECIDE,
    operation_id="read_rights_request",
    summary="What somebody asked for",
)
async def read_rights_request(call: Call, request_id: UUID) -> RequestOut:
    session = await call.session()
    found = await requests.find(session, keys=call.platform.keys, request=request_id, orgs=call.orgs)
    shown = _shown(call, found)
    call.opened_record(f"person:{shown.person}", action=f"{shown.kind}.read", request=request_id)
    return shown


@post(
    "/people/requests/{request_id:uuid}/decision",
    permission=_DECIDE,
    operation_id="decide_rights_request",
    summary="Answer a request; an erasure, or a correction of fields, that is accepted is carried out at once",
)
async def decide_rights_request(call: Call, request_id: UUID, data: NewDecision) -> RequestOut:
    session = await call.session()
    found = await requests.decide(
        call.platform,
        call.state,
        session,
        request=request_id,
        accept=data.accept,
        reason=data.reason,
        done_by_hand=data.done_by_hand,
        orgs=call.orgs,
        actor=call.actor,
        now=call.now,
    )
    call.already_recorded()
    call.after_commit.append(lambda: changed(call.platform, call.district.slug))
    return _shown(call, found)


@post(
    "/people/requests/{request_id:uuid}/done",
    permission=_DECIDE,
    operation_id="finish_rights_request",
    summary="Say that an accepted correction is put right everywhere, at the roster's source too",
)
async def finish_rights_request(call: Call, request_id: UUID) -> RequestOut:
    session = await call.session()
    found = await requests.mark_done(
        session, keys=call.platform.keys, request=request_id, orgs=call.orgs, actor=call.actor, now=call.now
    )
    call.already_recorded()
    return _shown(call, found)


def _to_do(call: Call, one: requests.AskedFor | RequestLine) -> str | None:
    if one.still_in_source:
        return Text(
            zh="已在本系统更正；请在名册来源中也予以更正，然后标记为已完成",
            en="corrected here; also correct it in the source of the roster, then mark it as done",
        ).pick(call.language)
    if one.still_to_be_done:
        return Text(zh="尚待人工更正", en="still to be done by hand").pick(call.language)
    return None


def _shown(call: Call, found: requests.AskedFor | None) -> RequestOut:
    if found is None:
        raise ProblemError("not-found")
    return _request_out(call, found)


def _request_out(call: Call, one: requests.AskedFor) -> RequestOut:
    outcome = None if one.outcome is None else [_outcome_out(call, line) for line in one.outcome]
    return RequestOut(**(msgspec.structs.asdict(one) | {"outcome": outcome, "to_do": _to_do(call, one)}))


def _outcome_out(call: Call, line: Erased) -> OutcomeOut:
    kept = None if line.kept is None else line.kept.pick(call.language)
    return OutcomeOut(line.what.pick(call.language), line.rows, kept, line.until)


def _nobody(request: Request[Any, Any, Any], _: NobodyError) -> Response[bytes]:
    return problem_response(request, ProblemError("not-found"))


def _impossible(request: Request[Any, Any, Any], error: requests.RequestError | NotWholeError) -> Response[bytes]:
    return problem_response(request, ProblemError("conflict", error.text))


def rights_routes() -> Router:
    return Router(
        "/",
        route_handlers=[
            read_my_consents,
            say_my_consent,
            read_consents,
            say_consent,
            enter_consent,
            copy_person,
            read_requests_about,
            ask_correction,
            ask_erasure,
            list_rights_requests,
            read_rights_request,
            decide_rights_request,
            finish_rights_request,
        ],
        exception_handlers={
            NobodyError: _nobody,
            requests.RequestError: _impossible,
            NotWholeError: _impossible,
        },
        tags=["rights"],
    )

"""From a credential to a person: one query when it is new here, none while it is remembered.

What is remembered is short-lived and dropped on the signal `access`. Without a connection for signals nothing is
remembered at all: a disabled account must not stay open because a message could not arrive (it fails closed).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import aliased

from gongyu.access import tokens
from gongyu.access.models import Account, ApiToken, WebSession
from gongyu.access.principal import Membership, Principal
from gongyu.access.relations import belongs, holds
from gongyu.access.rights import FAMILY
from gongyu.districts.registry import DistrictState
from gongyu.people.models import Guardianship, Org, Person
from gongyu.people.models import Membership as MembershipRow
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.text import Language

__all__ = ["TOPIC", "Authenticator", "changed", "cookie_name", "principal_of"]

log = structlog.get_logger("gongyu.access")

TOPIC: Final = "access"
_REMEMBERED: Final = timedelta(seconds=30)
_NOTED: Final = timedelta(minutes=1)
_MOST: Final = 8192


def cookie_name(slug: str) -> str:
    """One cookie for each district, so that signing in to a second one does not end the first. `__Host-` makes
    browsers insist on HTTPS, this host alone and the whole path (RFC 6265bis 4.1.3.2).
    """
    return f"__Host-gongyu-{slug}"


async def changed(platform: Platform, slug: str, *, credential: str | None = None) -> None:
    """Forget who may do what in a district, here at once and everywhere within milliseconds.

    To be called after the commit that disabled an account, revoked a token, or began or ended memberships.

    Args:
        platform: Its signals.
        slug: The district.
        credential: Forget only this one (a sign-out), and let everybody else be remembered.
    """
    payload = slug if credential is None else _key(slug, tokens.credential_digest(credential))
    await platform.signals.tell_here(TOPIC, payload)  # the answer to the change must not overtake it
    await platform.signals.send(TOPIC, payload)


def _key(slug: str, digest: bytes) -> str:
    return f"{slug}:{digest.hex()}"


@dataclass(frozen=True, slots=True)
class _Remembered:
    principal: Principal
    generation: tuple[int, int, int]
    until: datetime


class Authenticator:
    """Knows people by their credentials. One for each process; close it before the platform.

    Args:
        platform: Whose districts.
        clock: The time, which a test may move.
    """

    def __init__(self, platform: Platform, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._platform = platform
        self._clock = clock
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        # By district and by credential: what was read before a change and comes back after it carries an old
        # generation and is not believed.
        self._generations: dict[str, int] = {}
        self._everybody = 0
        self._notes: set[asyncio.Task[None]] = set()
        platform.signals.on(TOPIC, self._forget)

    async def principal(self, state: DistrictState, authorization: str | None, cookie: str | None) -> Principal | None:
        """Who this is; None for nobody. A header that does not hold is not made good by a cookie beside it.

        Args:
            state: The district that is asked; credentials of another are refused without a query.
            authorization: The header of this name.
            cookie: The value of the cookie `cookie_name(slug)`.
        """
        district = state.district
        if authorization is not None:
            scheme, _, text = authorization.partition(" ")
            text = text.strip()
            if scheme.lower() != "bearer" or tokens.district_of(text, "gy") != district.slug:
                return None
            return await self._known(district, text, _TOKEN)
        if cookie is not None and tokens.district_of(cookie, "gs") == district.slug:
            return await self._known(district, cookie, _SESSION)
        return None

    async def close(self) -> None:
        """Finish noting uses."""
        while self._notes:
            await asyncio.gather(*self._notes)

    async def _known(self, district: District, text: str, query: sa.Select[Any]) -> Principal | None:
        now = self._clock()
        digest = tokens.credential_digest(text)
        key = _key(district.slug, digest)
        generations = self._generations
        generation = (self._everybody, generations.get(district.slug, 0), generations.get(key, 0))
        live = self._platform.signals.connected.is_set()
        found = self._remembered.get(key)
        if found is not None:
            if live and found.generation == generation and now < found.until:
                return found.principal
            del self._remembered[key]
        loaded = await self._load(district, digest, query, now)
        if loaded is None:
            return None
        principal, until = loaded
        if live:
            self._remembered[key] = _Remembered(principal, generation, until)
            while len(self._remembered) > _MOST:
                self._remembered.popitem(last=False)
        return principal

    async def _load(
        self, district: District, digest: bytes, query: sa.Select[Any], now: datetime
    ) -> tuple[Principal, datetime] | None:
        local = now.astimezone(ZoneInfo(district.timezone))
        today = local.date()
        async with self._platform.database.read(district) as connection:
            rows = (await connection.execute(query, {"digest": digest, "now": now, "today": today})).all()
        if not rows:
            return None
        first = rows[0]
        principal = _principal(rows)
        if first.seen_at is None or now - first.seen_at >= _NOTED:
            note = asyncio.create_task(self._note(district, ApiToken if query is _TOKEN else WebSession, first.id, now))
            self._notes.add(note)
            note.add_done_callback(self._notes.discard)
        midnight = datetime.combine(today + timedelta(days=1), time_of_day(), local.tzinfo)  # memberships end by day
        return principal, min(now + _REMEMBERED, first.expires_at, midnight)

    async def _note(self, district: District, table: type[ApiToken | WebSession], id_: object, now: datetime) -> None:
        """Write down the use, beside the request and never in its way."""
        column = ApiToken.last_used_at if table is ApiToken else WebSession.last_seen_at
        older = sa.or_(column.is_(None), column < now)
        noted = sa.update(table).where(table.id == id_, older).values({column: now})
        try:
            async with self._platform.database.read(district) as connection:
                await connection.execute(noted)
        except (sa.exc.SQLAlchemyError, OSError) as error:
            log.warning("use not noted", district=district.slug, error=type(error).__name__)

    async def _forget(self, what: str) -> None:
        if what and len(self._generations) < _MOST:
            self._generations[what] = self._generations.get(what, 0) + 1
        else:  # signals may have been missed, or there were too many to keep count
            self._everybody += 1
            self._generations.clear()
            self._remembered.clear()


async def principal_of(platform: Platform, district: District, person: UUID, *, now: datetime) -> Principal | None:
    """A person as they would be judged signed in, without any credential: for explaining rights to an operator.

    Returns:
        None where the person could not come in: account closed, or no membership and no child today.
    """
    values = {"person": person, "today": now.astimezone(ZoneInfo(district.timezone)).date()}
    async with platform.database.read(district) as connection:
        rows = (await connection.execute(_PERSON, values)).all()
    return _principal(rows) if rows else None


def _principal(rows: Sequence[sa.Row[Any]]) -> Principal:
    first = rows[0]
    return Principal(
        person=first.person_id,
        name=first.name,
        memberships=_memberships(rows),
        scopes=None if first.scopes is None or "*" in first.scopes else frozenset(first.scopes),
        via=f"{first.kind}:{first.id}",
        language=cast("Language | None", first.language),
    )


def _memberships(rows: Sequence[sa.Row[Any]]) -> tuple[Membership, ...]:
    return tuple(
        Membership(role=row.role, org=row.org_id, orgs=frozenset(row.orgs), everywhere=row.everywhere)
        for row in rows
        if row.role is not None
    )


def _query(credential: sa.Subquery) -> sa.Select[Any]:
    """The credential, its person and each membership of today with the orgs below: one row for each membership.

    A parent's counts while they are the guardian of a pupil there, and may have contact: the child leaves, the
    guardianship ends or a court forbids the contact, and the role is gone at once, whether or not a roster says so.
    """
    today = sa.bindparam("today", type_=sa.Date())
    held = (
        sa.select(MembershipRow.role, MembershipRow.org_id, MembershipRow.id)
        .join(credential, credential.c.person_id == MembershipRow.person_id)
        .where(holds(MembershipRow, today))
        .cte("held")
    )
    below = sa.select(held.c.org_id.label("root"), held.c.org_id.label("org")).cte("below", recursive=True)
    # UNION, not UNION ALL: a ring among the orgs, which a roster could make, must end.
    below = below.union(sa.select(below.c.root, Org.id).join(Org, Org.parent_id == below.c.org))
    reach = (
        sa.select(below.c.root, sa.func.array_agg(below.c.org, type_=sa.ARRAY(sa.Uuid())).label("orgs"))
        .group_by(below.c.root)
        .subquery("reach")
    )
    child = aliased(MembershipRow)
    cares = sa.exists().where(
        Guardianship.guardian_id == credential.c.person_id,
        Guardianship.contact_allowed,
        holds(Guardianship, today),
        child.person_id == Guardianship.student_id,
        child.role == "student",
        holds(child, today),
        below.c.root == held.c.org_id,
        below.c.org == child.org_id,
    )
    return (
        sa.select(
            credential,
            Person.name,
            Account.language,
            held.c.role,
            held.c.org_id,
            sa.and_(Org.parent_id.is_(None), Org.type == "district").label("everywhere"),
            reach.c.orgs,
        )
        .select_from(credential)
        .join(Person, Person.id == credential.c.person_id)
        .outerjoin(Account, Account.person_id == Person.id)
        .outerjoin(held, sa.or_(held.c.role.not_in(FAMILY), cares))
        .outerjoin(Org, Org.id == held.c.org_id)
        .outerjoin(reach, reach.c.root == held.c.org_id)
        .where(
            sa.or_(Account.state.is_(None), Account.state == "active"),
            # Whoever holds nothing any more, not even a child, has left: their credentials open nothing.
            belongs(today),
        )
        .order_by(held.c.id)
    )


_digest = sa.bindparam("digest", type_=sa.LargeBinary())
_now = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_TOKEN: Final = _query(
    sa.select(
        sa.literal("token").label("kind"),
        ApiToken.id,
        ApiToken.person_id,
        ApiToken.scopes,
        ApiToken.expires_at,
        ApiToken.last_used_at.label("seen_at"),
    )
    .where(ApiToken.hash == _digest, ApiToken.revoked_at.is_(None), ApiToken.expires_at > _now)
    .subquery("credential")
)
_SESSION: Final = _query(
    sa.select(
        sa.literal("session").label("kind"),
        WebSession.id,
        WebSession.person_id,
        sa.null().cast(sa.ARRAY(sa.Text())).label("scopes"),
        WebSession.expires_at,
        WebSession.last_seen_at.label("seen_at"),
    )
    .where(
        WebSession.hash == _digest,
        WebSession.needs == "",
        WebSession.ended_at.is_(None),
        WebSession.expires_at > _now,
        WebSession.last_seen_at + sa.func.make_interval(0, 0, 0, 0, 0, 0, WebSession.idle_seconds) > _now,
    )
    .subquery("credential")
)
_PERSON: Final = _query(
    sa.select(
        sa.literal("person").label("kind"),
        Person.id,
        Person.id.label("person_id"),
        sa.null().cast(sa.ARRAY(sa.Text())).label("scopes"),
    )
    .where(Person.id == sa.bindparam("person", type_=sa.Uuid()))
    .subquery("credential")
)

"""A mentor's photo: theirs to show or to take down, seen by members of their schools and nobody else."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.database.reading import within_orgs
from gongyu.people.models import Membership
from gongyu.web import ProblemError
from gongyu_mentor.models import AnyRow, Photo
from gongyu_mentor.people import STAFF, bound
from gongyu_mentor.picture import checked

__all__ = ["digest_of", "read", "remove", "show"]


async def show(session: AsyncSession, *, person: UUID, content: bytes, now: datetime) -> str:
    """Put it in the place of the one before; returns what a browser compares."""
    picture = checked(content)
    digest = sha256(picture.content).hexdigest()[:32]
    values = {"media_type": picture.media_type, "content": picture.content, "digest": digest, "changed_at": now}
    write = insert(Photo).values(person_id=person, **values)
    await session.execute(write.on_conflict_do_update(index_elements=["person_id"], set_=values))
    return digest


async def remove(session: AsyncSession, *, person: UUID) -> None:
    await session.execute(sa.delete(Photo).where(Photo.person_id == person))


def _visible(person: UUID) -> sa.ColumnElement[bool]:
    """Of somebody who works at a school of the asker's; not there and not yours look the same."""
    works_at = sa.select(Membership.org_id).where(
        Membership.person_id == person,
        Membership.role.in_(STAFF),
        sa.or_(Membership.ends_on.is_(None), Membership.ends_on >= sa.func.current_date()),
        within_orgs(Membership.org_id),
    )
    return sa.and_(Photo.person_id == person, works_at.exists())


async def digest_of(connection: AsyncConnection, *, person: UUID, orgs: frozenset[UUID] | None) -> str:
    """What has to be asked for a browser that has it already: the picture itself is not read."""
    found = sa.select(Photo.digest).where(_visible(person))
    digest = (await connection.execute(found, bound(orgs=orgs))).scalar_one_or_none()
    if digest is None:
        raise ProblemError("not-found")
    return digest


async def read(connection: AsyncConnection, *, person: UUID, orgs: frozenset[UUID] | None) -> AnyRow:
    found = sa.select(Photo.media_type, Photo.content, Photo.digest).where(_visible(person))
    row = (await connection.execute(found, bound(orgs=orgs))).first()
    if row is None:
        raise ProblemError("not-found")
    return row

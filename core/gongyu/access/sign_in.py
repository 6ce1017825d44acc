"""Signing in, step by step. Wrong name, wrong password and closed account get one answer, by one amount of work.

A session that still needs something (a second factor, a new password) opens nothing but that step; each step through
makes a new cookie.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.access import accounts, attempts, audit, codes, second_factor, sessions
from gongyu.access.authenticate import changed
from gongyu.access.keys import KeyRing
from gongyu.access.models import Account, ExternalIdentity
from gongyu.access.oidc import Identity
from gongyu.access.passwords import Passwords
from gongyu.access.relations import belongs, holds
from gongyu.access.rules import ADMINISTRATORS, AccessRules
from gongyu.access.sessions import Needs
from gongyu.people.models import Membership, Person
from gongyu.people.private import stored_id
from gongyu.platform import Platform
from gongyu.plugin import District
from gongyu.text import Text

__all__ = ["SignIn", "SignInRefusedError", "SignedInAs", "Visitor", "day_of"]


class SignInRefusedError(Exception):
    """No. Which part was wrong is not said, and cannot be told by the time it took either."""

    text: Final = Text(
        zh="用户名或密码不对，或账号不可用", en="the user name or password is wrong, or the account cannot be used"
    )

    def __init__(self) -> None:
        super().__init__(self.text.en)


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands at the door: the address they come from, and the cookie they came with."""

    address: str
    cookie: str | None = None


class SignedInAs(msgspec.Struct, frozen=True, kw_only=True):
    """The way in.

    Attributes:
        cookie: For `sessions.set_cookie`.
        needs: What is still to be done before it opens anything.
    """

    person: UUID
    cookie: str
    needs: Needs


@dataclass(frozen=True, slots=True)
class SignIn:
    """The door of the deployment: one for each process."""

    platform: Platform
    passwords: Passwords

    @property
    def keys(self) -> KeyRing:
        return self.platform.keys

    async def by_password(
        self, district: District, rules: AccessRules, visitor: Visitor, *, username: str, password: str, now: datetime
    ) -> SignedInAs:
        """Sign in by user name and password.

        Raises:
            SignInRefusedError: Wrong, closed, or unknown.
            TooManyAttemptsError: Too often.
        """
        name = accounts.folded(username)
        database = self.platform.database
        attempt = await self._attempt(district, visitor, f"password {name}", now)
        held = (
            sa.select(Account.person_id, Account.password, Account.state, belongs(day_of(district, now)).label("here"))
            .join(Person, Person.id == Account.person_id)
            .where(Account.username == name)
        )
        async with database.read(district) as connection:
            found = (await connection.execute(held)).first()
        right = await self.passwords.matches(found.password if found else None, password)
        if found is None or not right or found.state != "active" or not found.here:
            subject = f"person:{found.person_id}" if found else ""
            await self._refused(district, visitor, subject=subject, method="password")
            raise SignInRefusedError
        fresh = await self.passwords.hash(password) if self.passwords.is_outdated(found.password) else found.password
        async with database.work(district) as session:
            # Still the password that was checked, and nobody changes it while the session is made.
            same = sa.update(Account).where(Account.person_id == found.person_id, Account.password == found.password)
            renewed = same.values(password=fresh).returning(Account.person_id)
            if (await session.execute(renewed)).first() is None:
                raise SignInRefusedError
            await attempts.succeeded(session, attempt)
            through = await self._through(session, rules, visitor, found.person_id, method="password", now=now)
        return await self._let_go(district, visitor, through)

    async def by_identity(
        self,
        district: District,
        rules: AccessRules,
        visitor: Visitor,
        *,
        identity: Identity,
        code: str | None = None,
        now: datetime,
    ) -> SignedInAs:
        """Sign in as whom another service knows.

        The first time the person must be found: by an activation code, or by the roster's own identifier where the
        district's directory carries it.

        Args:
            district: Where to.
            rules: The district's.
            visitor: Who stands at the door.
            identity: As the other service proved it.
            code: An activation code, to bind the identity to its person.
            now: The time.

        Raises:
            SignInRefusedError: Bound to nobody, or to somebody who may not come in.
            CodeError: The code opens nothing.
            TooManyAttemptsError: Too many wrong codes.
        """
        attempt = None
        if code is not None:
            attempt = await self._attempt(district, visitor, f"code {codes.canonical(code)}", now)
        try:
            async with self.platform.database.work(district) as session:
                person = await self._person_of(session, identity, code, now)
                await accounts.ensure_account(session, person=person)
                if attempt is not None:
                    await attempts.succeeded(session, attempt)
                through = await self._through(session, rules, visitor, person, method="oidc", now=now)
        except SignInRefusedError:
            await self._refused(district, visitor, subject="", method="oidc")
            raise
        return await self._let_go(district, visitor, through)

    async def by_second_factor(
        self, district: District, rules: AccessRules, visitor: Visitor, *, code: str, now: datetime
    ) -> SignedInAs:
        """Go on with a code of the authenticator app, or a recovery code.

        Raises:
            SignInRefusedError: Wrong, used before, or no sign-in under way.
            TooManyAttemptsError: Too often; the sign-in begins anew with the password.
        """
        database = self.platform.database
        async with database.work(district) as session:
            stage = await self._stage(session, visitor, "totp", now)
        try:
            name = f"second factor of {stage.person}"
            attempt = await self._attempt(district, visitor, name, now, attempts.SECOND_FACTOR)
        except attempts.TooManyAttemptsError:
            async with database.work(district) as session:
                await sessions.end_all(session, person=stage.person, staged_only=True)
            raise
        try:
            async with database.work(district) as session:
                await self._pass(session, visitor, code, now)
                await attempts.succeeded(session, attempt)
                through = await self._through(
                    session, rules, visitor, stage.person, method=stage.method, factor=True, now=now
                )
        except SignInRefusedError:
            await self._refused(district, visitor, subject=f"person:{stage.person}", method="second factor")
            raise
        return await self._let_go(district, visitor, through)

    async def propose_second_factor(self, district: District, visitor: Visitor, *, issuer: str, now: datetime) -> str:
        """The address for the authenticator app, for a session that needs `totp_setup`."""
        async with self.platform.database.work(district) as session:
            stage = await self._stage(session, visitor, "totp_setup", now)
            return await second_factor.propose(session, keys=self.keys, person=stage.person, issuer=issuer)

    async def confirm_second_factor(
        self, district: District, rules: AccessRules, visitor: Visitor, *, code: str, now: datetime
    ) -> tuple[SignedInAs, list[str]]:
        """Go on once the app shows the right code; the recovery codes come with it, for this one time."""
        async with self.platform.database.work(district) as session:
            stage = await self._stage(session, visitor, "totp_setup", now)
            recovery = await second_factor.confirm(session, keys=self.keys, person=stage.person, code=code, now=now)
            if recovery is None:
                raise SignInRefusedError
            through = await self._through(
                session, rules, visitor, stage.person, method=stage.method, factor=True, now=now
            )
        return await self._let_go(district, visitor, through), recovery

    async def by_new_password(
        self, district: District, rules: AccessRules, visitor: Visitor, *, password: str, now: datetime
    ) -> SignedInAs:
        """Go on with a new password, for a session that needs one.

        Raises:
            AccountError: Everything that is wrong with it.
        """
        async with self.platform.database.work(district) as session:
            stage = await self._stage(session, visitor, "password", now)
            await accounts.set_password(
                session,
                passwords=self.passwords,
                rules=rules,
                person=stage.person,
                password=password,
                keeps_tokens=True,
                by=f"person:{stage.person}",
                now=now,
            )
            through = await self._through(
                session, rules, visitor, stage.person, method=stage.method, factor=True, now=now
            )
        await changed(self.platform, district.slug)  # every session of theirs was ended
        return through

    async def out(self, district: District, visitor: Visitor, *, now: datetime) -> None:
        """Sign out."""
        if visitor.cookie is None:
            return
        async with self.platform.database.work(district) as session:
            person = await sessions.end(session, cookie=visitor.cookie, now=now)
            if person is not None:
                await audit.record(session, action="sign_in.ended", actor=f"person:{person}")
        await changed(self.platform, district.slug, credential=visitor.cookie)

    async def _through(
        self,
        session: AsyncSession,
        rules: AccessRules,
        visitor: Visitor,
        person: UUID,
        *,
        method: str,
        factor: bool = False,
        now: datetime,
    ) -> SignedInAs:
        """One step further: a new session with what is still needed, and the line that says so."""
        district: District = session.info["district"]
        account = (await session.execute(sa.select(Account).where(Account.person_id == person))).scalar_one()
        held = sa.select(Membership.role).where(
            Membership.person_id == person, holds(Membership, day_of(district, now))
        )
        roles = (await session.execute(held)).scalars().all()
        needs = _needs(account, roles, rules, method=method, factor=factor, now=now)
        cookie = await sessions.start(
            session, person=person, method=method, rules=rules, needs=needs, replaces=visitor.cookie, now=now
        )
        seen = sa.update(Account).where(Account.person_id == person).values(last_sign_in_at=now)
        if not needs:
            await session.execute(seen)
        action = "sign_in.staged" if needs else "sign_in.succeeded"
        details = {"method": method, "address": visitor.address} | ({"needs": needs} if needs else {})
        await audit.record(session, action=action, actor=f"person:{person}", details=details)
        return SignedInAs(person=person, cookie=cookie, needs=needs)

    async def _attempt(
        self,
        district: District,
        visitor: Visitor,
        name: str,
        now: datetime,
        limits: attempts.Limits = attempts.PASSWORD,
    ) -> attempts.Attempt:
        return await attempts.begin(
            self.platform.database,
            district,
            keys=self.keys,
            kind="sign_in",
            name=name,
            address=visitor.address,
            now=now,
            limits=limits,
        )

    async def _let_go(self, district: District, visitor: Visitor, through: SignedInAs) -> SignedInAs:
        """After commit: the cookie they came with is worth nothing any more, in any process."""
        if visitor.cookie is not None:
            await changed(self.platform, district.slug, credential=visitor.cookie)
        return through

    async def _stage(self, session: AsyncSession, visitor: Visitor, needs: Needs, now: datetime) -> sessions.Staged:
        stage = await sessions.staged(session, cookie=visitor.cookie, now=now)
        if stage is None or stage.needs != needs:
            raise SignInRefusedError
        return stage

    async def _pass(self, session: AsyncSession, visitor: Visitor, code: str, now: datetime) -> None:
        stage = await self._stage(session, visitor, "totp", now)
        if not await second_factor.passes(session, keys=self.keys, person=stage.person, code=code, now=now):
            raise SignInRefusedError

    async def _person_of(self, session: AsyncSession, identity: Identity, code: str | None, now: datetime) -> UUID:
        key = {"issuer": identity.issuer, "subject": identity.subject}
        held = sa.select(ExternalIdentity.person_id).filter_by(**key)
        person: UUID | None = (await session.execute(held)).scalar_one_or_none()
        if person is None:
            if code is not None:
                person = await codes.use(session, keys=self.keys, kind="activation", code=code, now=now)
            elif identity.sourced_id is not None:
                seals = self.platform.seals(session.info["district"])
                known = sa.select(Person.id).where(Person.sourced_id == stored_id(seals, identity.sourced_id))
                person = (await session.execute(known)).scalar_one_or_none()
            if person is None:
                raise SignInRefusedError
            bound = insert(ExternalIdentity).values(person_id=person, **key).on_conflict_do_nothing()
            if (await session.execute(bound.returning(ExternalIdentity.person_id))).first() is None:
                raise SignInRefusedError  # bound by another request a moment ago: begin again
            actor = f"person:{person}"
            await audit.record(session, action="identity.bound", actor=actor, subject=actor, details=key)
        district: District = session.info["district"]
        closed = sa.exists().where(Account.person_id == person, Account.state != "active")
        enters = sa.select(Person.id).where(Person.id == person, belongs(day_of(district, now)), ~closed)
        if (await session.execute(enters)).first() is None:
            raise SignInRefusedError
        return person

    async def _refused(self, district: District, visitor: Visitor, *, subject: str, method: str) -> None:
        details = {"method": method, "address": visitor.address}
        await audit.append(
            self.platform.database,
            district,
            action="sign_in.refused",
            actor="anonymous",
            subject=subject,
            details=details,
        )


def _needs(
    account: Account,
    roles: Collection[str],
    rules: AccessRules,
    *,
    method: str,
    factor: bool,
    now: datetime,
) -> Needs:
    if account.totp_since is not None and not factor:
        return "totp"
    if method == "password":
        longest = rules.password_age
        since = account.password_since
        if account.must_change or (longest is not None and (since is None or now - since >= longest)):
            return "password"
    if rules.second_factor and account.totp_since is None and ADMINISTRATORS.intersection(roles):
        return "totp_setup"
    return ""


def day_of(district: District, now: datetime) -> date:
    """The district's date: periods begin and end by it."""
    return now.astimezone(ZoneInfo(district.timezone)).date()

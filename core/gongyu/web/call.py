"""One request to one district, as a handler sees it.

One object instead of many injected values: resolving several dependencies costs a task group for each request.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from gongyu.access import audit
from gongyu.access.principal import Principal
from gongyu.access.rights import Verdict
from gongyu.access.sealing import Seals
from gongyu.districts.registry import DistrictState
from gongyu.platform import Platform
from gongyu.plugin import Context, District
from gongyu.text import Language
from gongyu.web.problems import ProblemError

__all__ = ["Call"]


@dataclass(slots=True)
class Call:
    """What the gate found out, and the ways to the district's data.

    Attributes:
        state: The district as it was when the request came in.
        person: Who asks; None only on a public route without sign-in.
        verdict: Why this was allowed, and in which orgs (None: everywhere); lists filter by it in the query.
        plugin: Whose route it is; empty for the core's own.
        language: What the caller reads.
        path: What was asked for.
        sensitive: The permission used, where each use of it is written to the audit log.
        approval: By which it was allowed, where the permission needs one.
        openings: Sensitive records opened by this request, for the audit log: see `opened_record`.
        after_commit: What must be done once the session's work is committed, before the answer leaves.
    """

    platform: Platform
    state: DistrictState
    person: Principal | None
    verdict: Verdict | None
    plugin: str
    language: Language
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    opened: AsyncSession | None = None
    reading: AsyncConnection | None = None
    replayed: bool = False
    idempotency_key: str | None = None
    path: str = ""
    sensitive: str = ""
    approval: UUID | None = None
    openings: list[audit.Line] = field(default_factory=list)
    after_commit: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @property
    def district(self) -> District:
        return self.state.district

    @property
    def settings(self) -> Any:  # noqa: ANN401 - the plugin's own Struct
        """The plugin's settings in this district."""
        return self.state.settings.get(self.plugin)

    @property
    def seals(self) -> Seals:
        """Seals and opens text with the district's keys."""
        return self.platform.seals(self.district)

    @property
    def principal(self) -> Principal:
        """Who asks, on every route that is not public."""
        if self.person is None:
            raise ProblemError("not-signed-in")
        return self.person

    @property
    def orgs(self) -> frozenset[UUID] | None:
        """Where the permission holds (None: everywhere in the district); what a list is filtered by."""
        return self.verdict.orgs if self.verdict else frozenset()

    @property
    def actor(self) -> str:
        """The asker in an audit line or a key: `person:<id>`, or `public`."""
        return f"person:{self.person.person}" if self.person else "public"

    def opened_record(self, subject: str, *, ground: str = "", action: str = "", **details: object) -> None:
        """Say whose sensitive record is in the answer (promise 4): the audit log knows it before the answer is out.

        To be called before the answer begins; of an answer that comes in pieces, before the first.

        Args:
            subject: Whom it concerns, `person:<id>`; a list names each.
            ground: The relation or task it was allowed by; else the verdict's.
            action: Instead of the permission's name, or on a route without one.
            details: Plain facts, such as the record's id.
        """
        said = ground or (self.verdict.ground.en if self.verdict else "")
        action = action or self.sensitive
        line = audit.Line(action=action, actor=self.actor, subject=subject, ground=said, details=details)
        self.openings.append(line)

    def already_recorded(self) -> None:
        """What the handler called has written the line about this use of a sensitive permission itself."""
        self.sensitive = ""

    async def db(self) -> AsyncConnection:
        """A connection for reading, without a transaction; given back when the answer is sent."""
        if self.reading is None:
            self.reading = await self.platform.database.reader_in(self.district).connect()
        return self.reading

    async def let_go(self) -> None:
        """Give the reading connection back early: before an answer that takes minutes, such as a stream."""
        if self.reading is not None:
            await self.reading.close()
            self.reading = None

    async def session(self) -> AsyncSession:
        """The unit of work: committed when the answer is a success (below 400), rolled back when it is not."""
        if self.opened is None:
            self.opened = self.platform.database.session(self.district)
            await self.opened.begin()
        return self.opened

    async def context(self) -> Context:
        """What domain functions and capabilities take: this unit of work with this plugin's settings."""
        return self.platform.context(self.plugin, self.state, await self.session(), self.now)

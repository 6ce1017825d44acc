"""What a plugin author imports. Everything a plugin may say to the core is on this page and in `gongyu.hookspecs`.

A plugin is an installed package with one entry point in the group `gongyu.plugins`, pointing at its `plugin.py`:

    from gongyu.plugin import Permission, PluginInfo, Text, hookimpl

    INFO = PluginInfo(
        name="bulletin",
        title=Text(zh="公告栏", en="Notice board"),
        contract=">=1.0,<2",
    )

    READ = Permission("bulletin.notice.read", title=Text(zh="看公告", en="Read notices"), roles=("student", "guardian"))

    @hookimpl
    def permissions() -> list[Permission]:
        return [READ]

`INFO` must be written out in literals: the core reads it from the source *before* importing anything, so that a
plugin made for another contract is refused by name instead of failing somewhere in the middle.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal
from uuid import UUID

import msgspec
import pluggy
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.text import Text

if TYPE_CHECKING:  # cryptography takes its time, and the command line reads this page for its version alone
    from gongyu.access.sealing import Seals

__all__ = [
    "CONTRACT_VERSION",
    "PUBLIC",
    "SIGNED_IN",
    "Capability",
    "Context",
    "DemoLine",
    "District",
    "Event",
    "GrowthFact",
    "GrowthSection",
    "Indicator",
    "Job",
    "Occurrence",
    "Permission",
    "PluginInfo",
    "Public",
    "Relation",
    "SignedIn",
    "Subscription",
    "Text",
    "ToDo",
    "hookimpl",
]

#: The version of this page and `hookspecs.py` together. It moves apart from releases: a minor step adds, a major step
#: takes away. Plugins declare the range they were made for.
CONTRACT_VERSION: Final = "1.1"

hookimpl = pluggy.HookimplMarker("gongyu")


class PluginInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's name card, read without importing it.

    Attributes:
        name: `^[a-z][a-z0-9_]{1,30}$`; also its route segment, its table prefix and the first part of its permission
            and event names.
        title: What people see in the console.
        contract: PEP 440 range of contract versions it supports, such as `>=1.0,<2`.
        requires: Names of plugins that must be available too; they start first, and enabling asks for them.
        summary: One sentence for `gongyu plugin list`.
    """

    name: str
    title: Text
    contract: str
    requires: tuple[str, ...] = ()
    summary: Text = Text(zh="", en="")


@dataclass(frozen=True, slots=True)
class Permission:
    """A right a plugin owns. Default deny: nobody has it but the roles named here, each within their own scope.

    Attributes:
        name: `<plugin>.<thing>.<verb>`.
        roles: OneRoster 1.2 role names that have it by default, within the org of their membership: a
            `districtAdministrator` everywhere, a `principal` in their school, a `teacher` in their classes' school.
        sensitive: Each use is written to the audit log with its ground (promise 4).
        approval: Each use needs, besides, the approval of somebody responsible, asked for with a reason and given for a
            time: for exports in bulk, searches across schools, records outside one's own classes (未网条例 36).
    """

    name: str
    title: Text
    roles: tuple[str, ...] = ()
    sensitive: bool = False
    approval: bool = False


@dataclass(frozen=True, slots=True)
class Public:
    """Instead of a permission: a route open to everybody, and why that is right."""

    reason: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Instead of a permission: any signed-in person of the district; the rows are filtered by who they are.

    A token that was narrowed opens it with the scope `<plugin>.own` (the core's own routes: `people.own`): one made for
    `points.*` must not read its holder's letters.

    Attributes:
        any_token: Every token opens it, whatever it was narrowed to: what says no more than whose the token is.
    """

    reason: str
    any_token: bool = False


PUBLIC = Public
SIGNED_IN = SignedIn


class District(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. `number` is small and stable: it goes into lock keys, which are per database and not per schema."""

    number: int
    slug: str
    name: str
    timezone: str

    @property
    def schema(self) -> str:
        return f"d_{self.slug}"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, told to other plugins after commit. Subclasses name their `type` and add ids.

    Never sensitive content (promise 4): ids, so that a reader asks the API, where rights are checked and reads audited.
    """

    type: ClassVar[str]
    title: ClassVar[Text]


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a subscriber meets it. A plugin cannot import another's Struct, so the content is plain data."""

    id: UUID
    type: str
    subject: str
    occurred_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """One unit of work in one district, as every runtime hook, subscriber and job gets it.

    Attributes:
        session: Bound to the district's schema and inside a transaction that the core commits. What is done here
            and the core's own mark (delivered, run, replayed) commit together.
        settings: The plugin's own settings for this district, typed; None for a plugin without settings.
        now: The time to work with. Never ask the clock yourself, so that a test can move it.
        capabilities: What other plugins enabled in this district offer, by name; ask with `.get`, they may be absent.
        seals: Seals and opens text with the district's keys, which are not in the database.
        schools: The settings of the schools that have their own, typed, by the school's identifier; ask
            `gongyu.districts.schools.settings_at`.
    """

    district: District
    session: AsyncSession
    settings: Any
    now: datetime
    seals: "Seals"
    capabilities: Mapping[str, Callable[..., Awaitable[Any]]] = field(default_factory=dict)
    schools: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """This plugin wants every event of this type; `react` runs once for each, its effect and the mark in one commit."""

    event: str
    react: Callable[[Context, Occurrence], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """Scheduled work: one process runs it, per district where the plugin is on; missed runs are caught up once.

    Attributes:
        every: `daily` and `weekly` at `at` in the district's time zone (`weekday`: Monday is 0); `term_start` on the
            first day of each term at `at`.
    """

    name: str
    title: Text
    run: Callable[[Context], Awaitable[None]]
    every: Literal["daily", "weekly", "term_start"]
    at: time = time(3, 0)
    weekday: int = 0


@dataclass(frozen=True, slots=True)
class Capability:
    """Something this plugin can do for others, met by name instead of import: `await capabilities["x.y"](context, …)`.

    `provide` takes the caller's Context (with the *provider's* settings in it) and keyword arguments.
    """

    name: str
    title: Text
    provide: Callable[..., Awaitable[Any]]


class DemoLine(msgspec.Struct, frozen=True, kw_only=True):
    """One closing figure of `make demo`: what was played, and how often."""

    title: Text
    figure: int | float | str


@dataclass(frozen=True, slots=True)
class Relation:
    """What this plugin's own records say binds people to students, such as "mentor of"; answered by SQL.

    Attributes:
        name: `<plugin>.<relation>`.
        title: Whose relation it is, in the words of `gongyu access why`: 成长导师, growth mentor.
        students: From the person and the time, a SELECT of the ids of their students now. It is put into other
            queries, so a relation that ended yesterday gives nothing today.
        growth_record: Whether it opens the student's growth record.
    """

    name: str
    title: Text
    students: Callable[[UUID, datetime], sa.Select[UUID]]
    growth_record: bool = False


class GrowthFact(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a growth record: a deed, a result, words of encouragement (写实记录, 教基二〔2014〕11号).

    Attributes:
        on: The day, in the district's time zone.
        title: What kind of fact.
        text: In the words of whoever wrote it down.
        dimension: The area of 综合素质评价 it belongs to, in the district's own set; empty where it belongs to none.
        by: Who wrote it down, by name.
    """

    on: date
    title: Text
    text: str = ""
    dimension: str = ""
    by: str = ""


class GrowthSection(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin's part of a student's growth record; nothing that is for few eyes only, for guardians read it too."""

    name: str
    title: Text
    facts: Sequence[GrowthFact]


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with a definition, of a school or a whole district; never of one person, and no ranking of people.

    Attributes:
        name: `<plugin>.<what>`; the same everywhere, so that terms and schools can be compared.
        title: Its definition in a few words.
        value: The figure.
        of: The whole it is a part of, where it is a part.
    """

    name: str
    title: Text
    value: int | float
    of: int | float | None = None


class ToDo(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits for one person.

    Attributes:
        name: `<plugin>.<what>`.
        title: What is to be done, without names or sensitive words: it may be shown on a locked phone.
        due: By when; None: no date.
        subject: What it is about, by id; the link opens it where rights are checked again.
        link: The path after the district in the API, such as `mentor/talks`.
    """

    name: str
    title: Text
    due: date | None = None
    subject: UUID | None = None
    link: str = ""

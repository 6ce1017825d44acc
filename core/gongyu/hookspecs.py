"""THE CONTRACT, version 1.1: every hook, typed and documented, on one page.

There are two kinds. **Contribution hooks** are plain functions; the core calls each once at start, before any district
is known. **Runtime hooks** are async; the core awaits them per district, only for plugins switched on there, always in
the same order (a plugin after those it requires, else by name), each in a SAVEPOINT and with a time limit.

Every runtime hook has a failure policy, fixed here and not at the call:

- `notify`: a failure is isolated and recorded; everybody else still hears.
- `collect`: the failing plugin's part is left out and the failure recorded.
- `veto`: a failure refuses what was about to happen.
- `provide_one`: one plugin at most may answer; two providers of one thing stop the start.

Failures are counted per plugin and hook in the district's `plugin_failure` table and shown by `gongyu doctor`.
In tests (`gongyu.testing`) they are raised again instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

import click
import msgspec
import pluggy
import sqlalchemy as sa
from litestar.handlers import HTTPRouteHandler

from gongyu.people.rights.contract import Erased, PersonPart, Purpose, RetentionCategory
from gongyu.plugin import (
    Capability,
    Context,
    DemoLine,
    Event,
    GrowthSection,
    Indicator,
    Job,
    Permission,
    Relation,
    Subscription,
    ToDo,
)

if TYPE_CHECKING:  # readers of rosters bring libraries that a request never needs
    from gongyu.people.roster.dialect import Dialect

__all__ = ["HookPolicy", "policy_of"]

F = TypeVar("F", bound=Callable[..., Any])
PolicyName = Literal["once", "notify", "collect", "veto", "provide_one"]
_hookspec = pluggy.HookspecMarker("gongyu")


@dataclass(frozen=True, slots=True)
class HookPolicy:
    """How the core calls a hook: its failure policy, the contract version that brought it, its time limit."""

    policy: PolicyName
    since: str
    seconds: float


def hook(*, since: str, policy: PolicyName = "once", seconds: float = 5.0) -> Callable[[F], F]:
    """Mark a function of this page as a hook of the contract; `once` marks a contribution hook."""

    def mark(function: F) -> F:
        function.__gongyu_policy__ = HookPolicy(policy=policy, since=since, seconds=seconds)  # type: ignore[attr-defined]  # read back by policy_of
        return _hookspec(function)

    return mark


def policy_of(function: Callable[..., Any]) -> HookPolicy:
    policy: HookPolicy = function.__gongyu_policy__  # type: ignore[attr-defined]  # set by hook()
    return policy


# ── Contribution hooks: called once at start ──────────────────────────────────────────────────────────────────────────


@hook(since="1.0")
def settings_type() -> type[msgspec.Struct]:  # type: ignore[empty-body]  # a specification has no body
    """The plugin's settings: one frozen Struct, `forbid_unknown_fields=True`, every field with a default.

    The same type gives validation, defaults, the JSON Schema and later the console's form. A plugin without settings
    leaves the hook out. When: once at start. Failure: the plugin is refused by name.

    Returns:
        The type itself. Mark secrets and per-school fields with the markers of `gongyu.districts.settings`.
    """


@hook(since="1.0")
def tables() -> sa.MetaData:  # type: ignore[empty-body]  # as above
    """The plugin's tables, without a schema and without a tenancy column: the session decides the district.

    Every table's name starts with `<plugin>_`; foreign keys point to core tables or the plugin's own and say
    ON DELETE CASCADE or SET NULL; `gongyu.testing.guard` checks the rules that keep Citus possible.
    When: once at start. Failure: the plugin is refused by name.

    Returns:
        Its MetaData. The migrations beside it (package folder `migrations/versions`) must make exactly these tables.
    """


@hook(since="1.0")
def permissions() -> Sequence[Permission]:  # type: ignore[empty-body]  # as above
    """The rights this plugin owns; their names start with `<plugin>.`.

    When: once at start. Failure: the plugin is refused by name.

    Returns:
        All of them; a route that names a permission nobody declared stops the start.
    """


@hook(since="1.0")
def routes() -> Sequence[HTTPRouteHandler]:  # type: ignore[empty-body]  # as above
    """Litestar handlers, mounted by the core under `/api/v1/{district}/<plugin>/`.

    Each says `permission=` (the name of a permission, or `Public(reason)`, or `SignedIn(reason)`): one without stops
    the start. Where the plugin is off, all of them answer 404; the handler needs no check of its own.
    A GET gets `db` (a connection without transaction); unsafe methods get `session` (committed by the core when the
    answer is a success, together with the Idempotency-Key). When: once at start. Failure: the plugin is refused.

    Returns:
        The handlers, relative to the plugin's own prefix.
    """


@hook(since="1.0")
def event_types() -> Sequence[type[Event]]:  # type: ignore[empty-body]  # as above
    """The events this plugin publishes; names are `<plugin>.<what_happened>.v<n>`.

    When: once at start. Failure: the plugin is refused by name.

    Returns:
        The frozen Struct of each.
    """


@hook(since="1.0")
def subscriptions() -> Sequence[Subscription]:  # type: ignore[empty-body]  # as above
    """The events this plugin reacts to. An event of a plugin that is absent simply never comes.

    The reaction runs after the publisher's commit, in a transaction of its own together with the mark "delivered",
    in order per subject; a failure is retried with backoff and at last parked (`gongyu events list`).
    When: once at start. Failure: the plugin is refused by name.

    Returns:
        One Subscription for each event type; a second one for the same type is refused.
    """


@hook(since="1.0")
def jobs() -> Sequence[Job]:  # type: ignore[empty-body]  # as above
    """Scheduled work. See `Job`; shown with its last run and next due time by `gongyu doctor`.

    When: once at start. Failure: the plugin is refused by name.

    Returns:
        The jobs; names are unique within the plugin.
    """


@hook(since="1.0")
def commands() -> Sequence[click.Command]:  # type: ignore[empty-body]  # as above
    """Commands of the plugin, shown as `gongyu <plugin> <command>`.

    When: when the command line names the plugin. Failure: the plugin is refused by name.

    Returns:
        Click commands; their user-facing words in Chinese and English.
    """


@hook(since="1.0")
def roster_dialects() -> "Sequence[Dialect]":  # type: ignore[empty-body]  # as above
    """Rosters in a form of their own: a small declarative mapping from files and columns to the canonical roster.

    Known wherever the plugin is on, beside OneRoster, School Data Sync and the national register; what is found wrong
    is reported by file, row and column just the same. When: once at start. Failure: the plugin is refused by name.

    Returns:
        The dialects; names are unique among all.
    """


@hook(since="1.0", policy="provide_one")
def capabilities() -> Sequence[Capability]:  # type: ignore[empty-body]  # as above
    """What this plugin can do for others, met by name; see `Capability`.

    When: collected once at start, called inside the caller's transaction. Failure policy `provide_one`: a name offered
    by two plugins stops the start, because nobody could say which of them answers; an error of the provider is the
    caller's to handle.

    Returns:
        The capabilities; any name `<area>.<verb>`, since a capability may outlive the plugin that offers it today.
    """


@hook(since="1.0")
def consent_purposes() -> Sequence[Purpose]:  # type: ignore[empty-body]  # as above
    """What this plugin processes personal data for, beyond what the core does; their names start with `<plugin>.`.

    People see each with its text and say yes or no to it alone. Before processing, ask `may_process` of
    `gongyu.people.rights.consent` with the same Purpose. When: whenever the purposes of a district are listed.
    Failure: what was asked for fails, so it must answer from literals alone.

    Returns:
        The purposes; a name that is not the plugin's own is not listened to.
    """


@hook(since="1.0")
def retention_categories() -> Sequence[RetentionCategory]:  # type: ignore[empty-body]  # as above
    """The kinds of personal data this plugin keeps: what for, by which law, how long, and how each ends.

    `expire` is called by the core's daily job, each in a transaction of its own; shown to everybody in the copy of
    their data. When: once a day, and for each copy. Failure: the job fails and is shown by `gongyu doctor`.

    Returns:
        The categories; names are `<plugin>.<category>`.
    """


@hook(since="1.1")
def relations() -> Sequence[Relation]:  # type: ignore[empty-body]  # as above
    """What binds people to students by this plugin's records, as SQL that others put into their queries.

    `gongyu access why` names those that hold; one that says so opens the student's growth record. When: once at start;
    its SELECT runs in the districts where the plugin is on. Failure: the plugin is refused by name.

    Returns:
        The relations; names are `<plugin>.<relation>`.
    """


# ── Runtime hooks: awaited per district ───────────────────────────────────────────────────────────────────────────────


@hook(since="1.0", policy="veto", seconds=10)
async def plugin_enabled(context: Context) -> None:
    """The plugin itself was just switched on in this district: lay out the data it cannot work without.

    Called only for the plugin concerned, inside the switching transaction, after its migrations. May run again after
    off and on, so it must not double anything. Failure policy `veto`: an error refuses the switch and nothing changes.

    Args:
        context: The district; `settings` are the ones just applied.
    """


@hook(since="1.0", policy="notify")
async def plugin_disabled(context: Context) -> None:
    """The plugin itself is being switched off in this district: finish what others would wait for.

    Called only for the plugin concerned, inside the switching transaction. Its data stays. Failure policy `notify`:
    a plugin that cannot tidy up can still be switched off.

    Args:
        context: The district; `settings` are those in force until now.
    """


@hook(since="1.0", policy="collect", seconds=120)
async def demo_played(context: Context) -> Sequence[DemoLine]:  # type: ignore[empty-body]  # as above
    """`make demo`: play in this district what the plugin is for, through its real services, and say what happened.

    Called after the roster is in, inside a transaction of its own for each plugin, once per demo district. Failure
    policy `collect`: the other plugins still play, and the failure stands in the closing table.

    Args:
        context: A district with people in it.

    Returns:
        The closing figures, most telling first.
    """


@hook(since="1.0", policy="collect", seconds=30)
async def person_data(context: Context, person: UUID) -> Sequence[PersonPart]:  # type: ignore[empty-body]  # as above
    """Everything this plugin holds about one person, for the copy they have a right to.

    Called inside the transaction of the copy. Failure policy `collect`: the copy is made without this plugin's parts,
    and its readable page says so. A plugin that stores nothing about people returns nothing; one that stores data and
    leaves the hook out is named on the page.

    Args:
        context: The district.
        person: Whose data.

    Returns:
        The parts, each one also when it is empty: a part that is there only when it holds something would tell those
        it is withheld from.
    """


@hook(since="1.0", policy="veto", seconds=60)
async def person_erased(context: Context, person: UUID, here: bool) -> Sequence[Erased]:  # type: ignore[empty-body]  # noqa: FBT001 - hooks are called by keyword
    """Delete or make unrecognisable what this plugin holds about one person, and say what stays by which law.

    Called inside the one transaction of the erasure, before the core takes the person's name away; in a rehearsal it
    is rolled back. Failure policy `veto`: an erasure is whole or is not, so an error refuses it and nothing is gone.
    A plugin that has tables and leaves the hook out refuses every erasure; one that stores nothing about people
    returns nothing.

    Args:
        context: The district.
        person: Whose data.
        here: Whether they, or a child of theirs, are still at a school of the district: what a duty of the school
            needs meanwhile may stay.

    Returns:
        One line for each kind of data, with the number of records.
    """


@hook(since="1.1", policy="collect", seconds=10)
async def growth_sections(  # type: ignore[empty-body]  # as above
    context: Context, student: UUID, begins: date, ends: date
) -> Sequence[GrowthSection]:
    """This plugin's part of a student's growth record (成长档案): facts, oldest first.

    Read by the student, their guardians and those a relation opens it to, so nothing that is for fewer eyes: no talk in
    confidence, no mood, no screening, no balance. Called inside a transaction that writes nothing. Failure policy
    `collect`: the record is shown without this part, which is named in it.

    Args:
        context: The district.
        student: Whose record.
        begins: The first day asked for.
        ends: The last day asked for.

    Returns:
        The sections; one without facts may be left out.
    """


@hook(since="1.1", policy="collect", seconds=10)
async def indicators(context: Context, schools: Sequence[UUID] | None) -> Sequence[Indicator]:  # type: ignore[empty-body]  # as above
    """The figures this plugin contributes to the report of a district or of some schools, as of now.

    Each has a definition; none is of one person, and nobody is ranked (教师厅〔2025〕2号 forbids counting teachers).
    Called inside a transaction that writes nothing. Failure policy `collect`: the report is made without this plugin's
    figures, and says so.

    Args:
        context: The district.
        schools: Of these schools together; None: the whole district.

    Returns:
        The figures, most telling first.
    """


@hook(since="1.1", policy="collect", seconds=10)
async def to_dos(context: Context, person: UUID) -> Sequence[ToDo]:  # type: ignore[empty-body]  # as above
    """What waits for one person in this plugin, for their list of the day.

    Called inside a transaction that writes nothing. Failure policy `collect`: the list is shown without this plugin's
    part, and says so.

    Args:
        context: The district.
        person: Whose list; what they may do is this plugin's to know.

    Returns:
        Each with its date, where it has one; the core sorts them.
    """

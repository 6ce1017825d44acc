"""What runs behind the scenes in every server process: deliveries, webhooks, jobs, for all districts.

Nothing is polled busily. A signal after a commit wakes the district it names; a retry or a job that this process knows
of has its timer; and a sweep every half minute finds what signals missed: lost nudges, and the work of processes
that died. Reactions, webhooks and jobs have a lane each, so that a slow receiver or a long job delays nobody's events.
"""

import asyncio
import contextlib
import random
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
import structlog

from gongyu.districts.registry import DistrictState
from gongyu.events.clock import Clock, utc_now
from gongyu.events.jobs import run_due_jobs
from gongyu.events.lanes import Lane
from gongyu.events.outbox import TOPIC
from gongyu.events.posting import Poster
from gongyu.events.relay import BATCH, deliver_due, fan_out, outlook
from gongyu.host.isolation import said
from gongyu.platform import Platform

__all__ = ["Drained", "Worker", "drain"]

log = structlog.get_logger("gongyu.worker")

_TURN: Final = 50  # deliveries of one district before it is another's turn
#: Seconds between two rounds of one district. Under load each round, in each process, found a handful of events.
_REST: Final = 0.1


class Worker:
    """The background work of one process; `start` it, and `stop` it before the database is closed.

    Its listeners are registered when it is made: register `registry.renew` for the topic `registry` before, so that the
    snapshot is new when the worker looks, and start the signals after.

    Args:
        platform: Opened, with its registry loaded.
        poster: Sends webhooks; without one they wait.
        clock: The time.
        sweep: How often every district is looked at.
        reactions: How many districts' reactions at once.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        poster: Poster | None = None,
        clock: Clock = utc_now,
        sweep: timedelta = timedelta(seconds=30),
        reactions: int = 4,
    ) -> None:
        self._platform, self._poster, self._clock, self._sweep_every = platform, poster, clock, sweep
        horizon = sweep * 2
        self._events = Lane("events", self._react, width=reactions, rest=_REST, clock=clock, horizon=horizon)
        self._jobs = Lane("jobs", self._run_jobs, width=2, clock=clock, horizon=horizon)
        self._webhooks = Lane("webhooks", self._post, width=8, clock=clock, horizon=horizon)
        self._look_now = asyncio.Event()
        self._sweeper: asyncio.Task[None] | None = None
        platform.signals.on(TOPIC, self._told)
        platform.signals.on("registry", self._switched)

    async def start(self) -> None:
        for lane in self._lanes():
            lane.start()
        self._sweeper = asyncio.create_task(self._keep_sweeping(), name="sweep")

    async def stop(self, seconds: float = 10) -> None:
        """Let what runs come to its end, but not for longer than this; what is cut off is due again as before."""
        if self._sweeper:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await asyncio.gather(*(lane.stop(seconds) for lane in self._lanes()))
        if self._poster:
            await self._poster.close()

    def _lanes(self) -> tuple[Lane, ...]:
        return self._events, self._jobs, self._webhooks

    async def _told(self, slug: str) -> None:
        if slug:
            self._events.wake(slug)
        else:  # the connection was away; anything may have been missed
            self._look_now.set()

    async def _switched(self, slug: str) -> None:
        if slug:
            self._events.wake(slug)  # what waited for the plugin goes on
            self._jobs.wake(slug)
        else:
            self._look_now.set()

    async def _keep_sweeping(self) -> None:
        while True:
            self._look_now.clear()
            try:
                await self._sweep()
            except Exception as error:  # noqa: BLE001 - the database may be away; the next sweep, or its return, finds all
                log.warning("sweep failed", error=said(error))
            # Processes that were started together must not look together.
            with contextlib.suppress(TimeoutError):
                wait = self._sweep_every.total_seconds() * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load
                await asyncio.wait_for(self._look_now.wait(), wait)

    async def _sweep(self) -> None:
        for slug, state in self._platform.registry.states.items():
            try:
                ahead = await self._look(state)
            except sa.exc.ProgrammingError as error:  # being dropped, or not migrated yet
                log.warning("district cannot be looked at", district=slug, error=said(error))
                continue
            if ahead.unfanned or ahead.due:
                self._events.wake(slug)
            self._events.at(slug, ahead.later_at)
            for subscriber, moment in ahead.webhooks.items():
                self._webhooks.at(f"{slug}/{subscriber}", moment)
            self._jobs.wake(slug)

    async def _look(self, state: DistrictState) -> "_Ahead":
        now = self._clock()
        unfanned, backlogs = await outlook(self._platform, state, now=now)
        plugins = [backlog for backlog in backlogs if backlog.subscriber in state.enabled]
        return _Ahead(
            unfanned=unfanned,
            due=any(backlog.first_at <= now for backlog in plugins),
            later_at=min(filter(None, (backlog.later_at for backlog in plugins)), default=None),
            webhooks={b.subscriber: b.first_at for b in backlogs if b.subscriber.startswith("webhook:")},
        )

    async def _react(self, slug: str) -> bool:
        """One look first: of all the processes that were woken, most come too late."""
        state = self._platform.registry.states.get(slug)
        if state is None:
            return False
        ahead = await self._look(state)
        self._events.at(slug, ahead.later_at)
        due, webhooks, more = ahead.due, ahead.webhooks, False
        if ahead.unfanned:
            laid_out, subscribers = await fan_out(self._platform, state, now=self._clock())
            for_webhooks = {one for one in subscribers if one.startswith("webhook:")}
            webhooks |= dict.fromkeys(for_webhooks, self._clock())
            due, more = due or subscribers > for_webhooks, laid_out == BATCH
        if due:
            delivered = await deliver_due(self._platform, state, clock=self._clock, limit=_TURN)
            self._events.at(slug, delivered.retry_at)
            more = more or delivered.more
        for subscriber, moment in webhooks.items():
            self._webhooks.at(f"{slug}/{subscriber}", moment)
        return more

    async def _run_jobs(self, slug: str) -> bool:
        if state := self._platform.registry.states.get(slug):
            self._jobs.at(slug, (await run_due_jobs(self._platform, state, clock=self._clock)).next_at)
        return False

    async def _post(self, key: str) -> bool:
        slug, _, subscriber = key.partition("/")
        state = self._platform.registry.states.get(slug)
        if state is None or self._poster is None:
            return False
        posted = await self._poster.post_due(state, _webhook_id(subscriber))
        _, backlogs = await outlook(self._platform, state, now=self._clock())
        for backlog in backlogs:
            if backlog.subscriber == subscriber:
                self._webhooks.at(key, backlog.later_at)  # what is due and was not taken: the webhook is disabled
        return posted.more


class _Ahead(NamedTuple):
    """What a look at a district found."""

    #: Events wait to be laid out.
    unfanned: bool
    #: A plugin has something to do now, and when next one will.
    due: bool
    later_at: datetime | None
    #: When the first of each webhook's is due.
    webhooks: dict[str, datetime]


class Drained(msgspec.Struct):
    """What was done until nothing was left."""

    events: int = 0
    reactions: int = 0
    posts: int = 0
    jobs: int = 0
    failed: int = 0


async def drain(platform: Platform, slug: str, *, clock: Clock = utc_now, poster: Poster | None = None) -> Drained:
    """Do everything that is due now in a district, and what follows from it: for tests and commands.

    Raises:
        HookRefusedError: A reaction or job failed, where failures are raised (in tests).
    """
    total = Drained()
    state = platform.state(slug)
    while True:
        events, _ = await fan_out(platform, state, now=clock())
        reactions = await deliver_due(platform, state, clock=clock)
        jobs = await run_due_jobs(platform, state, clock=clock)
        _, backlogs = await outlook(platform, state, now=clock())
        hooks = [b.subscriber for b in backlogs if b.subscriber.startswith("webhook:") and b.first_at <= clock()]
        posts = [await poster.post_due(state, _webhook_id(hook)) for hook in hooks] if poster else []
        done = events, reactions.done, sum(post.done for post in posts), jobs.done
        failed = reactions.failed + sum(post.failed for post in posts) + jobs.failed
        if not any(done) and not failed:
            return total
        total = Drained(
            total.events + done[0],
            total.reactions + done[1],
            total.posts + done[2],
            total.jobs + done[3],
            total.failed + failed,
        )


def _webhook_id(subscriber: str) -> UUID:
    return UUID(subscriber.removeprefix("webhook:"))

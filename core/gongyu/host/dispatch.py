"""Calling runtime hooks: per district, awaited one after the other, each in a SAVEPOINT, with the hook's own policy.

pluggy's own call stops at the first error and knows no `await`; this loop over the public `get_hookimpls()` is all
that is needed (pluggy 1.6 and 1.7). Wrappers are refused at registration because such a loop would not run them.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import sqlalchemy as sa
import structlog
from pluggy import HookCaller, HookImpl, PluginManager
from sqlalchemy.ext.asyncio import AsyncSession

from gongyu.hookspecs import policy_of
from gongyu.host.isolation import isolated, said
from gongyu.plugin import Context, District

__all__ = ["Dispatcher", "FailureRecorder", "HookRefusedError"]

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger("gongyu.hooks")


class HookRefusedError(Exception):
    """A plugin's `veto` hook said no, or failed: what was about to happen does not happen."""

    def __init__(self, plugin: str, hook: str, cause: BaseException) -> None:
        super().__init__(f"{plugin}: {hook}: {cause}")
        self.plugin, self.hook, self.cause = plugin, hook, cause


class FailureRecorder(Protocol):
    """Where failures are kept for the health page; must not use the session that just failed."""

    async def __call__(self, *, district: District, plugin: str, hook: str, error: str) -> None: ...


class Dispatcher:
    """Calls the implementations of one hook in one unit of work.

    Args:
        manager: The pluggy manager with the available plugins registered, in starting order.
        record: Keeps failures; None raises them again (in tests, where a hidden failure is a lie).
    """

    def __init__(self, manager: PluginManager, record: FailureRecorder | None) -> None:
        self._manager = manager
        self._record = record

    @property
    def raises(self) -> bool:
        """Whether failures of plugins are raised instead of recorded: in tests."""
        return self._record is None

    async def call(
        self,
        hook: Callable[Concatenate[Context, P], Awaitable[T]],
        contexts: Iterable[tuple[str, Context]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> dict[str, T]:
        """Await the hook of every plugin in `contexts` that implements it, in the given order.

        Args:
            hook: The specification, a function of `gongyu.hookspecs`.
            contexts: Plugin name and the context it gets; plugins that are off are simply not among them.
            args: None; hooks take keyword arguments only.
            kwargs: The hook's arguments beside its context.

        Returns:
            What each plugin answered, by name. Failing plugins are absent (policies `notify`, `collect`).

        Raises:
            HookRefusedError: Under policy `veto`, or whenever no recorder is set.
        """
        assert not args, "hooks take keyword arguments only"  # noqa: S101 - a slip of the core itself, not of input
        policy = policy_of(hook)
        caller: HookCaller = getattr(self._manager.hook, hook.__name__)
        implementations = {implementation.plugin_name: implementation for implementation in caller.get_hookimpls()}
        chosen = [(name, context, implementations[name]) for name, context in contexts if name in implementations]
        answers: dict[str, T] = {}
        for name, context, implementation in chosen:
            try:
                answers[name] = await _isolated(implementation, context, policy.seconds, kwargs)
            except (Exception, SystemExit) as error:  # a plugin that calls sys.exit() must not stop the server
                await _must_still_be_in_transaction(context.session, name, hook.__name__)
                if policy.policy == "veto" or self._record is None:
                    raise HookRefusedError(name, hook.__name__, error) from error
                text = said(error)
                log.warning("hook failed", plugin=name, hook=hook.__name__, district=context.district.slug, error=text)
                await self._record(district=context.district, plugin=name, hook=hook.__name__, error=text)
        return answers


async def _isolated(implementation: HookImpl, context: Context, seconds: float, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - any hook's answer
    """Run one implementation so that neither its error, its broken SQL nor its slowness reaches the unit of work."""
    given = {"context": context, **kwargs}
    arguments = {name: given[name] for name in implementation.argnames}
    async with isolated(context.session, seconds):
        return await cast("Awaitable[Any]", implementation.function(**arguments))


async def _must_still_be_in_transaction(session: AsyncSession, plugin: str, hook: str) -> None:
    """A hook that ended the caller's transaction (a bare COMMIT) cannot be isolated: the unit of work must fail."""
    try:
        await session.execute(sa.text("SAVEPOINT gongyu_alive"))
    except sa.exc.SQLAlchemyError as error:
        raise HookRefusedError(plugin, hook, error) from error

"""The ASGI application: the core's routes and every available plugin's, behind one gate."""

import asyncio
import contextlib
import gc
import os
import signal
import traceback
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any, Final, NoReturn

import sqlalchemy as sa
import structlog
from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from gongyu.access.authenticate import Authenticator
from gongyu.access.passwords import Passwords
from gongyu.access.sign_in import SignIn
from gongyu.config import Config
from gongyu.database.engine import DatabaseUnfitError
from gongyu.database.errors import meaning_of
from gongyu.events.posting import Poster
from gongyu.events.worker import Worker
from gongyu.host import StartError
from gongyu.host.dispatch import HookRefusedError
from gongyu.host.isolation import said
from gongyu.logs import configure_logs
from gongyu.orphans import end_with_parent
from gongyu.platform import Platform, assemble, opened
from gongyu.plugin import Public, SignedIn
from gongyu.printing.document import MissingGlyphError
from gongyu.text import Text
from gongyu.web import openapi, problems
from gongyu.web.bodies import strict_body
from gongyu.web.call import Call
from gongyu.web.core_routes import core_routes
from gongyu.web.door import DOOR, Door
from gongyu.web.gate import Gate
from gongyu.web.health import health_routes
from gongyu.web.observe import Observe
from gongyu.web.problems import ProblemError
from gongyu.web.refusals import Refusals
from gongyu.web.scope import CALL, REQUEST_ID, extras
from gongyu.web.straight import Straight
from gongyu.web.unit import unit_of_work

__all__ = ["create_app", "from_environment"]

log = structlog.get_logger("gongyu.http")
MAX_BODY: Final = 10 * 1024 * 1024


def from_environment() -> Observe:
    """What each worker process of `gongyu serve` runs.

    Whoever kills the supervisor alone must not leave workers that serve on, and hold the lock it left them.
    """
    end_with_parent(partial(os.kill, os.getpid(), signal.SIGTERM))
    platform = assemble(Config.from_environment())
    configure_logs()
    return create_app(platform, own=True)


def create_app(platform: Platform, *, own: bool = False, door: Door | None = None) -> Observe:
    """Build the application.

    Args:
        platform: Its parts.
        own: Open and close them with the application, and run the background work (events, jobs, signals).
        door: How people come in, where not in the usual way (tests).

    Raises:
        StartError: A route of the core without a permission.
    """
    authenticator = Authenticator(platform)
    refusals = Refusals(platform.database)
    gate = Gate(platform, authenticator, refusals)
    door = door or Door(SignIn(platform, Passwords()), refusals)
    routers = [
        Router(
            path=f"/api/v1/{{district:str}}/{name}",
            route_handlers=list(plugin.routes),
            opt={"plugin": name},
            tags=[name],
        )
        for name, plugin in platform.host.plugins.items()
        if plugin.routes
    ]
    app = Litestar(
        route_handlers=[*routers, *core_routes(), *health_routes(platform), *openapi.openapi_routes()],
        dependencies={"call": Provide(_call, sync_to_thread=False)},
        middleware=[unit_of_work, gate, Straight()],
        before_request=strict_body,
        exception_handlers={
            ProblemError: problems.problem_response,
            HTTPException: _http,
            HookRefusedError: _vetoed,
            MissingGlyphError: _unprintable,
            sa.exc.DBAPIError: _database,
            Exception: _unexpected,
        },
        lifespan=[_running(platform, authenticator, door)] if own else [],
        state=State({DOOR: door}),
        openapi_config=None,  # it would bring pages of its own; `openapi.attach` gives the document alone
        request_max_body_size=MAX_BODY,
        logging_config=None,
        debug=False,
    )
    openapi.attach(app, platform.host)
    _refuse_open_routes(app, platform)
    return Observe(app)


def _running(
    platform: Platform, authenticator: Authenticator, door: Door
) -> contextlib.AbstractAsyncContextManager[None]:
    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(opened(platform))
            except DatabaseUnfitError as error:
                await _come_again(error)
            platform.signals.on("registry", platform.registry.renew)
            poster = Poster(platform, platform.keys)
            worker = Worker(platform, poster=poster)
            await platform.signals.start()
            await worker.start()
            # What was loaded stays for good: the collector need not walk all of it for each of its full rounds, which
            # stopped every request for as long.
            gc.collect()
            gc.freeze()
            alive = asyncio.create_task(_keep_database_alive(platform), name="embedded database")
            try:
                yield
            finally:
                alive.cancel()
                await worker.stop()
                await poster.close()
                await authenticator.close()
                await door.close()
                await platform.signals.stop()

    return lifespan()


async def _come_again(error: DatabaseUnfitError) -> NoReturn:
    """End this worker, to be started again: the database, fit when the supervisor looked, is away for the moment.

    Not by a failed start, upon which uvicorn takes it that none will ever succeed and ends all of them.
    """
    log.warning("a worker is started again soon", error=error.text.en)
    await asyncio.sleep(1)
    os._exit(1)


async def _keep_database_alive(platform: Platform) -> None:
    """Whoever kills the embedded database finds it back within a second."""
    while platform.server is not None:
        await asyncio.sleep(1)
        try:
            if await asyncio.to_thread(platform.server.ensure):
                log.warning("the embedded database was gone and has been started again")
        except Exception:  # the next second tries again; requests answer 503 meanwhile
            log.exception("the embedded database does not start")


def _call(request: Request[Any, Any, Any]) -> Call:
    call: Call = extras(request.scope)[CALL]
    return call


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    return problems.from_http_exception(request, error)


def _vetoed(request: Request[Any, Any, Any], error: HookRefusedError) -> Response[bytes]:
    """A plugin's problem is the caller's problem detail; any other failure of a veto hook is a conflict to report."""
    if isinstance(error.cause, ProblemError):
        return problems.problem_response(request, error.cause)
    refused = Text(zh="插件 {name} 拒绝了这次操作", en="plugin {name} refused this").format(name=error.plugin)
    return problems.problem_response(request, ProblemError("conflict", refused))


def _unprintable(request: Request[Any, Any, Any], error: MissingGlyphError) -> Response[bytes]:
    """Nothing was printed: which characters, and in which strings, for whoever can change them."""
    return problems.problem_response(request, ProblemError("conflict", error.text))


def _database(request: Request[Any, Any, Any], error: sa.exc.DBAPIError) -> Response[bytes]:
    fault = meaning_of(error)
    if fault.kind == "conflict":
        text = Text(zh="违反约束 {name}", en="constraint {name} was violated").format(name=fault.constraint)
        return problems.problem_response(request, ProblemError("conflict", text))
    if fault.kind == "unavailable":
        return problems.problem_response(request, ProblemError("unavailable", headers={"retry-after": "1"}))
    if fault.kind == "invalid":
        return problems.problem_response(request, ProblemError("invalid"))
    return _unexpected(request, error)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """What nobody foresaw: to the caller only the request's id (ASVS 16.5.1), to the log where it happened.

    Not the message and not the variables: both may hold a child's words.
    """
    if isinstance(error, OSError | TimeoutError | sa.exc.TimeoutError):  # the database is away, or its pool is full
        return problems.problem_response(request, ProblemError("unavailable", headers={"retry-after": "1"}))
    trace = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    request_id = extras(request.scope).get(REQUEST_ID, "")
    log.error("unexpected error", request_id=request_id, error=said(error), trace=trace[-20:])
    return problems.problem_response(request, ProblemError("internal"))


def _refuse_open_routes(app: Litestar, platform: Platform) -> None:
    """Default deny for the core's own routes too; the host has looked at the plugins' already."""
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            generated = isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}
            permission = handler.opt.get("permission")
            if generated or isinstance(permission, Public | SignedIn) or permission in platform.host.permissions:
                continue
            text = Text(zh="路由 {route} 没有声明权限", en="route {route} declares no permission")
            raise StartError(text.format(route=route.path))

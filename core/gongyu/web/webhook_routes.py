"""Webhooks over HTTP: where a district's API consumers want to be told of events."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import CacheControlHeader
from litestar.params import FromPath

from gongyu.events import webhooks
from gongyu.events.outbound import UrlRefusedError
from gongyu.web import Call
from gongyu.web.problems import ProblemError, problem_response

__all__ = ["webhook_routes"]

_SECRET_ANSWER = CacheControlHeader(no_store=True)
_PERMISSION = "district.webhook.manage"


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address to be told; without `types`, of everything."""

    url: Annotated[str, msgspec.Meta(min_length=8, max_length=2000, examples=["https://example.org/hooks/gongyu"])]
    types: Annotated[list[str], msgspec.Meta(max_length=200, examples=[["people.enrolled.v1"]])] = []


class WebhookOut(msgspec.Struct, frozen=True):
    """A webhook; its secret is shown only when it is made."""

    id: UUID
    url: str
    types: list[str]
    enabled: bool
    disabled_reason: str | None
    failing_since: datetime | None
    created_at: datetime


class WebhookSecret(msgspec.Struct, frozen=True):
    """The secret to verify signatures with (Standard Webhooks 1.0); shown once."""

    webhook: UUID
    secret: str


@get("/", permission=_PERMISSION, operation_id="list_webhooks", summary="List the webhooks")
async def list_webhooks(call: Call) -> list[WebhookOut]:
    return [
        WebhookOut(
            found.id,
            found.url,
            found.types,
            found.enabled,
            found.disabled_reason.pick(call.language) if found.disabled_reason else None,
            found.failing_since,
            found.created_at,
        )
        for found in await webhooks.list_webhooks(await call.db())
    ]


@post(
    "/",
    permission=_PERMISSION,
    cache_control=_SECRET_ANSWER,
    operation_id="create_webhook",
    summary="Register a webhook",
)
async def create_webhook(call: Call, data: NewWebhook) -> WebhookSecret:
    try:
        made = await webhooks.create_webhook(
            await call.session(),
            cipher=call.platform.keys,
            host=call.platform.host,
            url=data.url,
            types=data.types,
            allow_internal=call.platform.config.allow_internal_webhooks,
            actor=call.actor,
        )
    except UrlRefusedError as error:
        raise ProblemError("invalid", errors=[("/url", error.text)]) from error
    except webhooks.UnknownEventTypesError as error:
        raise ProblemError("invalid", errors=[("/types", error.text)]) from error
    return WebhookSecret(made.webhook_id, made.secret)


@post(
    "/{webhook:uuid}/secret",
    permission=_PERMISSION,
    cache_control=_SECRET_ANSWER,
    operation_id="rotate_webhook_secret",
    summary="Give a webhook a new secret; the old one still signs for a day",
)
async def rotate_webhook_secret(call: Call, webhook: FromPath[UUID]) -> WebhookSecret:
    made = await webhooks.rotate_secret(
        await call.session(), cipher=call.platform.keys, webhook_id=webhook, now=call.now, actor=call.actor
    )
    return WebhookSecret(made.webhook_id, made.secret)


@post(
    "/{webhook:uuid}/enable",
    permission=_PERMISSION,
    operation_id="enable_webhook",
    summary="Switch a webhook on again",
    status_code=204,
)
async def enable_webhook(call: Call, webhook: FromPath[UUID]) -> None:
    await webhooks.enable_webhook(await call.session(), webhook_id=webhook, actor=call.actor)


@post(
    "/{webhook:uuid}/disable",
    permission=_PERMISSION,
    operation_id="disable_webhook",
    summary="Switch a webhook off; what is due to it waits",
    status_code=204,
)
async def disable_webhook(call: Call, webhook: FromPath[UUID]) -> None:
    await webhooks.disable_webhook(await call.session(), webhook_id=webhook, actor=call.actor)


@delete("/{webhook:uuid}", permission=_PERMISSION, operation_id="delete_webhook", summary="Remove a webhook")
async def delete_webhook(call: Call, webhook: FromPath[UUID]) -> None:
    await webhooks.delete_webhook(await call.session(), webhook_id=webhook, actor=call.actor)


def _unknown(request: Request[Any, Any, Any], _: webhooks.UnknownWebhookError) -> Response[bytes]:
    return problem_response(request, ProblemError("not-found"))


def webhook_routes() -> Router:
    return Router(
        "/webhooks",
        route_handlers=[
            list_webhooks,
            create_webhook,
            rotate_webhook_secret,
            enable_webhook,
            disable_webhook,
            delete_webhook,
        ],
        exception_handlers={webhooks.UnknownWebhookError: _unknown},
        tags=["webhooks"],
    )

"""How this process is configured: environment only, read once, passed on."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

__all__ = ["Config"]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know before it meets a database.

    Attributes:
        database_url: Any PostgreSQL 15 or newer; None means the embedded one in `data`.
        data: Folder of the embedded database, the keys and run-time files.
        strict: Stop when any installed plugin cannot load.
        allow_internal_webhooks: Let webhooks reach private addresses (only inside a trusted network).
    """

    database_url: str | None = None
    data: Path = Path("var")
    strict: bool = False
    allow_internal_webhooks: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Config":
        url = environment.get("GONGYU_DATABASE_URL") or None
        return cls(
            database_url=_with_driver(url) if url else None,
            data=Path(environment.get("GONGYU_DATA") or "var").absolute(),
            strict=environment.get("GONGYU_STRICT", "") not in ("", "0"),
            allow_internal_webhooks=environment.get("GONGYU_WEBHOOKS_INTERNAL", "") not in ("", "0"),
        )


def _with_driver(url: str) -> str:
    """Accept what operators have at hand (`postgres://…`, `postgresql://…`) and name our driver."""
    parts = urlsplit(url)
    if parts.scheme in ("postgres", "postgresql"):
        return urlunsplit(parts._replace(scheme="postgresql+asyncpg"))
    return url

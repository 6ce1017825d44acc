"""How this process is configured: environment only, read once, passed on."""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from gongyu.text import Text

__all__ = ["Config", "ConfigError"]


class ConfigError(Exception):
    """A variable of the environment cannot be understood; the text names it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a process needs to know before it meets a database.

    Attributes:
        database_url: Any PostgreSQL 15 or newer; None means the embedded one in `data`.
        data: Folder of the embedded database, the keys and run-time files.
        strict: Stop when any installed plugin cannot load.
        allow_internal_webhooks: Let webhooks reach private addresses (only inside a trusted network).
        trusted_proxies: Whose `X-Forwarded-For` is believed (`GONGYU_TRUSTED_PROXIES`, addresses or networks with
            commas between); from anybody else the header is a visitor's own words.
        public_url: Where browsers reach this deployment (`GONGYU_PUBLIC_URL`), for printed slips and for coming back
            from another sign-in service; None takes what the request says.
    """

    database_url: str | None = None
    data: Path = Path("var")
    strict: bool = False
    allow_internal_webhooks: bool = False
    trusted_proxies: tuple[str, ...] = ()
    public_url: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Config":
        url = environment.get("GONGYU_DATABASE_URL") or None
        return cls(
            database_url=_with_driver(url) if url else None,
            data=Path(environment.get("GONGYU_DATA") or "var").absolute(),
            strict=environment.get("GONGYU_STRICT", "") not in ("", "0"),
            allow_internal_webhooks=environment.get("GONGYU_WEBHOOKS_INTERNAL", "") not in ("", "0"),
            trusted_proxies=_networks("GONGYU_TRUSTED_PROXIES", environment.get("GONGYU_TRUSTED_PROXIES", "")),
            public_url=_address("GONGYU_PUBLIC_URL", environment.get("GONGYU_PUBLIC_URL", "")),
        )


def _with_driver(url: str) -> str:
    """Accept what operators have at hand (`postgres://…`, `postgresql://…`) and name our driver."""
    parts = urlsplit(url)
    if parts.scheme in ("postgres", "postgresql"):
        return urlunsplit(parts._replace(scheme="postgresql+asyncpg"))
    return url


def _networks(variable: str, given: str) -> tuple[str, ...]:
    found = []
    for part in filter(None, (part.strip() for part in given.split(","))):
        try:
            found.append(str(ip_network(part)))
        except ValueError:
            text = Text(
                zh="{variable} 里的 `{part}` 不是地址或网段（如 127.0.0.1、10.0.0.0/8）",
                en="`{part}` in {variable} is neither an address nor a network (such as 127.0.0.1 or 10.0.0.0/8)",
            )
            raise ConfigError(text.format(variable=variable, part=part)) from None
    return tuple(found)


def _address(variable: str, given: str) -> str | None:
    if not given.strip():
        return None
    parts = urlsplit(given.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        text = Text(
            zh="{variable} 应为网址，如 https://gongyu.example.cn，实为 `{given}`",
            en="{variable} must be an address such as https://gongyu.example.cn, found `{given}`",
        )
        raise ConfigError(text.format(variable=variable, given=given.strip()))
    return given.strip().rstrip("/")

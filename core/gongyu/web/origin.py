"""Where a request comes from: which address, and which site."""

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

__all__ = ["address_of", "is_cross_site"]

Connection = ASGIConnection[Any, Any, Any, Any]


def address_of(connection: Connection, trusted: tuple[str, ...]) -> str:
    """Whose address it is: the connection's, or behind proxies we trust what the outermost of them saw.

    `X-Forwarded-For` is read from its end, since everything before the first proxy we trust is the visitor's own words.
    """
    client = connection.client
    found = client.host if client else ""
    if not trusted or not _is_among(found, trusted):
        return found
    said = ",".join(connection.headers.getall("x-forwarded-for", []))
    for part in reversed([part.strip() for part in said.split(",")]):
        if not _is_address(part):
            return found
        found = part
        if not _is_among(part, trusted):
            return part
    return found


def is_cross_site(connection: Connection) -> bool:
    """Whether a browser says that another site is behind this request.

    Every browser of today says so in `Sec-Fetch-Site`; older ones have `Origin`; what sends neither is no browser, and
    has no cookie that it did not set itself. `SameSite=Lax` alone lets a neighbour under the same domain through.
    """
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4)
def _networks(written: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(one) for one in written)


def _is_among(text: str, networks: tuple[str, ...]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address  # a socket for both families shows ::ffff:127.0.0.1
    return any(mapped in network for network in _networks(networks))

"""Requests to addresses that strangers chose: never to the inside of the house (SSRF, OWASP API7:2023).

A name is resolved once, *all* its addresses are checked, and the connection goes to exactly the checked address; a
second look-up, which a hostile name server would answer differently (DNS rebinding), never happens. TLS still names and
verifies the host. Redirects are not followed, and no proxy is taken from the environment.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import httpcore
import httpx

from gongyu.text import Text

__all__ = [
    "AddressRefusedError",
    "CheckedNetwork",
    "Resolver",
    "UrlRefusedError",
    "check_url",
    "is_internal",
    "resolve",
]

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Called global, yet no host on the internet: Azure's "wire server", IETF protocol assignments (RFC 6890), site-local,
#: local NAT64 (RFC 8215), and the tunnels 6to4 and Teredo, which carry IPv4 inside.
_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("168.63.129.16/32", "192.0.0.0/24", "fec0::/10", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
#: NAT64 (RFC 6052): the IPv4 address behind it counts.
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_LONGEST_URL: Final = 2000
_HOST: Final = re.compile(rb"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+")


class AddressRefusedError(OSError):
    """The name leads inside."""


class UrlRefusedError(ValueError):
    """Not an address that events may be sent to; the text says why."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


def is_internal(address: str) -> bool:
    """Whether an address is anything but one host on the public internet."""
    ip: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        ip = inner or ip
    return not ip.is_global or ip.is_multicast or ip.is_reserved or any(ip in network for network in _REFUSED)


def check_url(url: str, *, allow_internal: bool) -> str:
    """The address in its normal form, if events may be sent there at all; where its name leads is checked at each call.

    Raises:
        UrlRefusedError: With the reason.
    """

    def refuse(zh: str, en: str) -> UrlRefusedError:
        return UrlRefusedError(Text(zh=f"不能用作 webhook 地址：{zh}", en=f"not usable as a webhook address: {en}"))

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise refuse("不是网址", "this is no URL") from error
    if len(url) > _LONGEST_URL:
        raise refuse(f"超过 {_LONGEST_URL} 个字符", f"longer than {_LONGEST_URL} characters")
    if parsed.scheme != "https" and not (allow_internal and parsed.scheme == "http"):
        raise refuse("必须以 https:// 开头", "it must start with https://")
    if not _HOST.fullmatch(parsed.raw_host) or not 0 < (parsed.port or 443) < 1 << 16:
        raise refuse("主机名或端口不对", "its host or port is malformed")
    if parsed.userinfo or parsed.fragment:
        raise refuse("不得含用户名、密码或 #", "it may hold no user name, password or #")
    try:
        literal = is_internal(parsed.host)
    except ValueError:
        literal = parsed.host == "localhost" or parsed.host.endswith((".localhost", ".local", ".internal"))
    if literal and not allow_internal:
        raise refuse("它指向内部网络", "it leads into an internal network")
    return str(parsed)


async def resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """What httpcore connects through: resolves, checks, and connects to what was checked."""

    def __init__(self, *, allow_internal: bool, resolver: Resolver = resolve) -> None:
        self._allow_internal = allow_internal
        self._resolve = resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        inside = [] if self._allow_internal else [address for address in addresses if is_internal(address)]
        if inside or not addresses:
            raise AddressRefusedError(f"{host} leads to {inside[0]}, which is internal" if inside else f"no {host}")
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # noqa: S101 - there was at least one address
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

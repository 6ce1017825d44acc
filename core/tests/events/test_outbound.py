from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpcore
import pytest

from gongyu.events.outbound import AddressRefusedError, CheckedNetwork, UrlRefusedError, check_url, is_internal

from .receiver import receiving

INTERNAL = [
    "0.0.0.0",  # noqa: S104 - an address among others
    "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9", "168.63.129.16",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1",
    "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2002:7f00:1::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize(("addresses", "internal"), [(INTERNAL, True), (PUBLIC, False)])
def test_addresses_inside_and_outside(addresses: list[str], internal: bool) -> None:  # noqa: FBT001 - a table
    assert [address for address in addresses if is_internal(address) is not internal] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/", "ftp://hooks.example/", "hooks.example", "https://", "https:///x",
        "https://user:word@hooks.example/", "https://hooks.example/#there", "https://127.0.0.1/", "https://[::1]/",
        "https://[::ffff:169.254.169.254]/", "https://localhost/", "https://db.internal/", "https://a.localhost/",
        "https://hooks.example/" + "x" * 2000, "https://hooks.example:99999/", "https://ho st/",
    ],
)  # fmt: skip
def test_url_that_may_not_be_registered(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        check_url(url, allow_internal=False)


def test_url_is_kept_in_its_normal_form() -> None:
    assert check_url("https://例子.测试/钩", allow_internal=False) == "https://xn--fsqu00a.xn--0zwm56d/%E9%92%A9"
    assert check_url("http://10.0.0.1:8080/", allow_internal=True) == "http://10.0.0.1:8080/"


class Names:
    """A name server whose answers change from one question to the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)

    async def __call__(self, _: str, __: int) -> Sequence[str]:
        return self.answers.pop(0)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], []],
)
async def test_name_that_leads_inside_is_not_called(addresses: list[str], tmp_path: Path) -> None:
    async with receiving(tmp_path) as (server, trust):
        network = CheckedNetwork(allow_internal=False, resolver=Names(addresses))
        async with httpcore.AsyncConnectionPool(ssl_context=trust, network_backend=network) as pool:
            with pytest.raises(AddressRefusedError):
                await pool.request("POST", server.url)
        assert server.requests == []


async def test_name_that_changes_its_mind_is_called_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    async def connect(_: Any, host: str, *__: object, **___: object) -> httpcore.AsyncNetworkStream:  # noqa: ANN401 - the backend
        called.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    names = Names(["93.184.216.34", "1.1.1.1"], ["127.0.0.1"])
    async with httpcore.AsyncConnectionPool(
        network_backend=CheckedNetwork(allow_internal=False, resolver=names)
    ) as pool:
        with pytest.raises(httpcore.ConnectError):
            await pool.request("POST", "https://rebinding.example/")
        assert called == ["93.184.216.34", "1.1.1.1"]
        with pytest.raises(AddressRefusedError):
            await pool.request("POST", "https://rebinding.example/")
    assert called == ["93.184.216.34", "1.1.1.1"]


async def test_odd_spellings_of_the_loopback_are_resolved_before_they_are_checked() -> None:
    network = CheckedNetwork(allow_internal=False)
    for host in ("2130706433", "0x7f.1", "127.1", "localhost"):
        with pytest.raises(OSError, match=r"internal|known|not"):
            await network.connect_tcp(host, 443)

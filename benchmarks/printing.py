"""A class's activation slips, and a thousand voucher-like cards (3 × 8 on A4): time, pages' weight, memory.

Method: both are printed five times; the QR codes, which are the larger part, are also timed alone. The limit to compare
with is promised by nobody but the teacher who waits: a class within a second.
"""

import resource
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from gongyu.access.slips import Slip, print_slips
from gongyu.printing import qr
from gongyu.printing.document import render

__all__ = ["run"]

NOW = datetime(2026, 9, 1, tzinfo=UTC)


class Card(msgspec.Struct, frozen=True):
    student: str
    points: int
    code: str
    qr: str


class Sheet(msgspec.Struct, frozen=True):
    cards: list[Card]


def _name(number: int) -> str:
    return f"{'王李张刘陈'[number % 5]}{chr(0x4E00 + number * 37 % 20000)}{chr(0x4E00 + number * 53 % 20000)}"


def _code(number: int) -> str:
    return f"K7QM-{number:04d}-9F2P"


def _slips(count: int) -> list[Slip]:
    return [
        Slip(
            name=_name(number),
            school="实验小学",
            class_name="三年级2班",
            code=_code(number),
            url=f"https://gongyu.example.cn/ezhou/activate#{_code(number)}",
            expires_at=NOW + timedelta(days=30),
        )
        for number in range(count)
    ]


def _vouchers(count: int) -> Sheet:
    return Sheet(
        [
            Card(
                _name(number), (2, 5, 10, 20)[number % 4], _code(number), qr.svg(f"https://e.example.cn/v/{number:012}")
            )
            for number in range(count)
        ]
    )


def _measure(what: str, work: Callable[[], bytes | Sheet]) -> None:
    times = []
    size = 0
    for _ in range(5):
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
        size = len(result) if isinstance(result, bytes) else 0
    weight = f"{size / 1000:7.0f} kB" if size else " " * 10
    print(f"{what:<34} first {times[0]:6.3f} s   median {statistics.median(times):6.3f} s   {weight}")


def run() -> None:
    slips = _slips(45)
    sheet = _vouchers(1000)
    template = Path(__file__).with_name("vouchers.typ")
    _measure("45 slips, codes included", lambda: print_slips(slips, kind="activation", created=NOW))
    _measure("1,000 QR codes alone", lambda: _vouchers(1000))
    _measure("1,000 vouchers, codes made before", lambda: render(template, sheet, title="德育积分券", created=NOW))
    print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most")


if __name__ == "__main__":
    run()

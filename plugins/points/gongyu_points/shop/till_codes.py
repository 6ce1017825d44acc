"""A pupil's code for the till: by it, whoever serves on duty shows that the buyer stands there and agrees.

Six digits that follow from the pupil, the time and how often they have bought over the counter, keyed outside the
database: a code is good for some minutes and for one sale, and nothing is stored. Who serves by office asks for none.
"""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.access.sealing import Seals
from gongyu.plugin import Context, District, Text
from gongyu.web import ProblemError
from gongyu_points.books import read, run
from gongyu_points.shop.schemas import TillCodeOut

__all__ = ["require", "show"]

#: A code holds in the window it was made in and in the next: three minutes at least, six at most.
_WINDOW: Final = timedelta(minutes=3)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SOLD: Final = "SELECT count(*) AS n FROM {s}.points_order WHERE student_id = $1::uuid AND channel = 'till'"


async def show(
    connection: AsyncConnection, district: District, seals: Seals, *, student: UUID, now: datetime
) -> TillCodeOut:
    """What a pupil shows at the till now."""
    sold, window = (await read(connection, district, _SOLD, student))[0].n, (now - _EPOCH) // _WINDOW
    return TillCodeOut(_code(seals, student, sold, window), _EPOCH + (window + 2) * _WINDOW)


async def require(context: Context, *, student: UUID, code: str) -> None:
    """That this is the pupil's code now. Their purse is locked: of two sales with one code, the second finds it used.

    Raises:
        ProblemError: `code-refused`.
    """
    sold, window = (await run(context.session, _SOLD, student))[0].n, (context.now - _EPOCH) // _WINDOW
    if not any(hmac.compare_digest(code, _code(context.seals, student, sold, one)) for one in (window, window - 1)):
        text = Text(
            zh="付款码不对、已用过或已过期，请买方重新出示",
            en="not the buyer's code, or used, or too old: let them show it again",
        )
        raise ProblemError("code-refused", text)


def _code(seals: Seals, student: UUID, sold: int, window: int) -> str:
    hashed = seals.hashed(f"{student}:{sold}:{window}", purpose="points.till_code")
    return f"{int.from_bytes(hashed) % 1_000_000:06d}"

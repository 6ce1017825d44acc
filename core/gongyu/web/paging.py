"""Keyset paging: a page continues after a row, not after a number of rows, so that inserts do not shift it."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from litestar.params import Parameter
from sqlalchemy.ext.asyncio import AsyncConnection

from gongyu.text import Text
from gongyu.web.problems import ProblemError

__all__ = ["Cursor", "Limit", "Page", "page_of"]

T = TypeVar("T")

Limit = Annotated[int, Parameter(ge=1, le=200, description="Rows on a page, 1 to 200.")]
Cursor = Annotated[
    str | None, Parameter(max_length=500, description="`next` of the page before; absent for the first.")
]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list; `next` is null on the last one."""

    items: list[T]
    next: str | None = None


async def page_of(
    connection: AsyncConnection,
    query: sa.Select[Any],
    *,
    key: Sequence[sa.ColumnElement[Any]],
    row: Callable[[sa.Row[Any]], T],
    limit: int,
    cursor: str | None,
) -> Page[T]:
    """Run `query` for one page, ordered by `key`: columns that are unique together and never null, all ascending.

    Args:
        connection: A reading connection.
        query: Already filtered by what the caller may see; it must select the key columns.
        key: The order; the last column is usually the id.
        row: Makes an item of a row.
        limit: Rows wanted.
        cursor: Where the page before ended.

    Raises:
        ProblemError: `bad-cursor`.
    """
    if cursor is not None:
        after = _decode(cursor, key)
        query = query.where(sa.tuple_(*key) > sa.tuple_(*after))
    rows = (await connection.execute(query.order_by(*key).limit(limit + 1))).all()
    more = len(rows) > limit
    rows = rows[:limit]
    return Page([row(r) for r in rows], _encode([rows[-1]._mapping[column] for column in key]) if more else None)  # noqa: SLF001 - SQLAlchemy's documented access by column


def _encode(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def _decode(cursor: str, key: Sequence[sa.ColumnElement[Any]]) -> list[sa.ColumnElement[Any]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        types = tuple(column.type.python_type for column in key)
        values = msgspec.json.decode(base64.urlsafe_b64decode(padded.encode()), type=tuple[types])  # type: ignore[valid-type]  # made at run time
    except (ValueError, msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
        raise ProblemError("bad-cursor", Text(zh="请从第一页重新开始", en="start again from the first page")) from error
    return [sa.literal(value, type_=column.type) for value, column in zip(values, key, strict=True)]

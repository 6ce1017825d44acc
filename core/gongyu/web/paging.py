"""Keyset paging: a page continues after a row, not after a number of rows, so that inserts do not shift it."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import asyncpg
import msgspec
import sqlalchemy as sa
from litestar.params import QueryParameter

from gongyu.database.reading import Prepared
from gongyu.text import Text
from gongyu.web.call import Call
from gongyu.web.problems import ProblemError

__all__ = ["Cursor", "Limit", "Page", "Paged"]

T = TypeVar("T")

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="Rows on a page, 1 to 200.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=500, description="`next` of the page before; absent for the first.")
]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A page of a list; `next` is null on the last one."""

    items: list[T]
    next: str | None = None


class Paged(Generic[T]):
    """A list that is read page by page; written down once at module level.

    Args:
        query: What is listed, filtered by what the caller may see through bound parameters.
        key: The order: selected columns that are unique together and never null, all ascending; the last is an id.
        row: Makes an item of a row.
    """

    def __init__(
        self, query: sa.Select[*tuple[Any, ...]], *, key: Sequence[Any], row: Callable[[asyncpg.Record], T]
    ) -> None:
        ordered = query.order_by(*key).limit(sa.bindparam("rows", type_=sa.BigInteger()))
        after = sa.tuple_(*(sa.bindparam(f"after_{column.key}", type_=column.type) for column in key))
        self._first = Prepared(ordered)
        self._next = Prepared(ordered.where(sa.tuple_(*key) > after))
        self._names = [column.key for column in key]
        self._types: Any = tuple[tuple(column.type.python_type for column in key)]  # type: ignore[misc]  # made at run time
        self._row = row

    async def page(self, call: Call, *, limit: int, cursor: str | None, **values: object) -> Page[T]:
        """One page.

        Args:
            call: Where, and on which connection.
            limit: Rows wanted.
            cursor: Where the page before ended.
            values: The query's own parameters.

        Raises:
            ProblemError: `bad-cursor`.
        """
        values["rows"] = limit + 1
        query = self._first
        if cursor is not None:
            values |= zip((f"after_{name}" for name in self._names), self._decode(cursor), strict=True)
            query = self._next
        found = await query.fetch(await call.db(), call.district.schema, values)
        shown = found[:limit]
        return Page([self._row(row) for row in shown], self._encode(shown[-1]) if len(found) > limit else None)

    def _encode(self, row: asyncpg.Record) -> str:
        values = [row[name] for name in self._names]
        return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()

    def _decode(self, cursor: str) -> Sequence[Any]:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            decoded: Sequence[Any] = msgspec.json.decode(base64.urlsafe_b64decode(padded.encode()), type=self._types)
        except (ValueError, msgspec.DecodeError, msgspec.ValidationError, UnicodeError) as error:
            raise ProblemError(
                "bad-cursor", Text(zh="请从第一页重新开始", en="start again from the first page")
            ) from error
        return decoded

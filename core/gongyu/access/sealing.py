"""What stands in sealed columns (`gongyu.database.model.sealed_column`): text that a dump does not show.

It is bound to table, column and primary key, so that it opens nowhere else.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from gongyu.access.keys import KeyRing

__all__ = ["Seals", "bound_to"]


def bound_to(column: sa.Column[Any], *key: object) -> bytes:
    """What the text of one row is bound to: `<table>.<column>:<primary key>`."""
    return f"{column.table.name}.{column.name}:{','.join(map(str, key))}".encode()


@dataclass(frozen=True, slots=True)
class Seals:
    """The keys of one district, in the hands of whoever works in it."""

    keys: KeyRing = field(repr=False)
    slug: str

    def seal(self, text: str, column: InstrumentedAttribute[Any], id_: UUID) -> bytes:
        """Seal a text for one row of a sealed column.

        Args:
            text: What nobody may read in the database.
            column: Where it will stand, such as `Talk.note`.
            id_: The row's primary key.
        """
        return self.keys.encrypt(self.slug, text.encode(), context=bound_to(_of(column), id_))

    def open(self, sealed: bytes, column: InstrumentedAttribute[Any], id_: UUID) -> str:
        """Open what `seal` made for the same row.

        Raises:
            SealBrokenError: Changed, moved, or sealed for another row.
        """
        return self.keys.decrypt(self.slug, sealed, context=bound_to(_of(column), id_)).decode()

    def hashed(self, value: str, *, purpose: str) -> bytes:
        """Find the same value again without storing it (HMAC-SHA256); stays the same when keys rotate."""
        return self.keys.keyed_hash(self.slug, value.encode(), purpose=purpose.encode())


def _of(column: InstrumentedAttribute[Any]) -> sa.Column[Any]:
    found: sa.Column[Any] = column.property.columns[0]
    return found

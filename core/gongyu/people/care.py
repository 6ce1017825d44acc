"""Care categories as they stand in the database: sealed, and found by keyed hashes.

Whoever asks "which pupils are in this category" asks by hash, in one query; only who may read a category opens it.
"""

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from gongyu.access.sealing import Seals
from gongyu.people.models import CareCategory

__all__ = ["Care", "category_hash", "open_care", "sealed_care", "value_hash"]


class Care(NamedTuple):
    """A category, such as `left_behind`, and what is the case, such as `single`."""

    category: str
    value: str


def category_hash(seals: Seals, category: str) -> bytes:
    """What `CareCategory.category_hash` holds for this category."""
    return seals.hashed(category, purpose="care_category.category")


def value_hash(seals: Seals, value: str) -> bytes:
    """What `CareCategory.value_hash` holds for this value, whatever its category."""
    return seals.hashed(value, purpose="care_category.value")


def sealed_care(seals: Seals, *, id_: UUID, category: str, value: str) -> dict[str, Any]:
    """The columns of a row: its id and all that says what it is.

    Args:
        seals: The district's keys.
        id_: The row's; the text is bound to it.
        category: Such as `left_behind`.
        value: Such as `single`.
    """
    text = msgspec.json.encode({"category": category, "value": value}).decode()
    return {
        "id": id_,
        "category_hash": category_hash(seals, category),
        "value_hash": value_hash(seals, value),
        "sealed": seals.seal(text, CareCategory.sealed, id_),
    }


def open_care(seals: Seals, id_: UUID, sealed: bytes) -> Care:
    """Open a row.

    Raises:
        SealBrokenError: It was sealed for another row, or changed.
    """
    return Care(**msgspec.json.decode(seals.open(sealed, CareCategory.sealed, id_), type=dict[str, str]))

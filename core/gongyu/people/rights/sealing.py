"""Opening and sealing what is kept encrypted about people."""

from typing import Final
from uuid import UUID

from gongyu.access.keys import KeyRing
from gongyu.people.models import Person
from gongyu.plugin import District

__all__ = ["SEALED_COLUMNS", "opened", "sealed"]

SEALED_COLUMNS: Final = (Person.id_number, Person.phone, Person.identifier)
_PERSONAL: Final = frozenset(column.key for column in SEALED_COLUMNS)


def opened(keys: KeyRing, district: District, field: str, owner: UUID, text: bytes | None) -> str | None:
    """A sealed text.

    Raises:
        SealBrokenError: It was sealed for another row, or changed.
    """
    return None if text is None else keys.decrypt(district.slug, text, context=_context(field, owner)).decode()


def sealed(keys: KeyRing, district: District, field: str, owner: UUID, text: str) -> bytes:
    return keys.encrypt(district.slug, text.encode(), context=_context(field, owner))


def _context(field: str, owner: UUID) -> bytes:
    return f"{'person' if field in _PERSONAL else 'rights_request'}.{field}:{owner}".encode()

"""How identity and telephone numbers are sealed and found again."""

import re
from typing import Final
from uuid import UUID

__all__ = ["id_number_context", "identifier_context", "phone_context", "plain_phone"]

_MOBILE: Final = re.compile(r"(?:\+?86)?(1\d{10})")


def plain_phone(phone: str) -> str:
    """One number, one form: +86 before a Chinese mobile number says nothing."""
    match = _MOBILE.fullmatch(phone)
    return match[1] if match else phone


def id_number_context(person: UUID) -> bytes:
    """What the sealed number is bound to: moved to another row, it does not open."""
    return f"person.id_number:{person}".encode()


def identifier_context(person: UUID) -> bytes:
    """As above."""
    return f"person.identifier:{person}".encode()


def phone_context(person: UUID) -> bytes:
    """As above."""
    return f"person.phone:{person}".encode()

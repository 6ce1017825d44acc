"""What a database error means to a caller: SQLSTATE first, the constraint's name from the message.

On Citus the diagnostic fields are empty and names carry a shard number (citus.md R6), so both come from where they
always are.
"""

import re
from typing import Final

import msgspec
import sqlalchemy as sa

__all__ = ["DatabaseFault", "meaning_of"]

_CONSTRAINT: Final = re.compile(r'constraint "(?P<name>[^"]+?)(?:_\d+)?"')


class DatabaseFault(msgspec.Struct, frozen=True):
    """`kind`: `conflict` (a constraint said no), `unavailable` (try again), `invalid` (not storable), `internal`."""

    kind: str
    constraint: str = ""


def meaning_of(error: sa.exc.DBAPIError) -> DatabaseFault:
    state = getattr(error.orig, "sqlstate", None) or ""
    match = _CONSTRAINT.search(str(error.orig))
    constraint = match["name"] if match else ""
    if error.connection_invalidated or state[:2] in ("08", "57") or state in ("40001", "40P01", "55P03", "53300", ""):
        return DatabaseFault("unavailable")
    if state[:2] == "23":
        return DatabaseFault("conflict", constraint)
    if state[:2] == "22":
        return DatabaseFault("invalid")
    if state == "XX000" and "could not commit transaction for shard" in str(error.orig):
        return DatabaseFault("unavailable")
    return DatabaseFault("internal")

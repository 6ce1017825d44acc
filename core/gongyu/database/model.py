"""What every table of the core and of the plugins has in common."""

from datetime import date, datetime
from typing import Any, ClassVar, Final
from uuid import UUID

import sqlalchemy as sa
import uuid_utils.compat
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column

__all__ = [
    "IN_REGISTRY",
    "Base",
    "ModelBase",
    "RegistryBase",
    "is_sealed",
    "new_id",
    "plugin_metadata",
    "sealed_column",
]

#: Names stay under 45 characters: Citus hashes longer ones in its messages (reference: citus.md R7), and our error
#: mapper reads constraint names from messages.
_NAMES: Final = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


def plugin_metadata() -> sa.MetaData:
    """A fresh MetaData with the house's constraint names; one for each plugin, so that its history is its own."""
    return sa.MetaData(naming_convention=_NAMES)


def new_id() -> UUID:
    """A version 7 uuid (RFC 9562): unique without asking the database, and in order of creation for keyset paging."""
    return uuid_utils.compat.uuid7()


def sealed_column(**options: Any) -> MappedColumn[Any]:  # noqa: ANN401 - as `mapped_column`
    """A column for text that only the district's keys open: bytes made by `gongyu.access.sealing.Seals`.

    It says of itself that it is sealed, so a rotation of the keys finds it without a list.
    """
    return mapped_column(sa.LargeBinary(), info={"sealed": True}, **options)


def is_sealed(column: sa.Column[Any]) -> bool:
    return bool(column.info.get("sealed"))


class ModelBase:
    """Column types by annotation: times know their zone, whole numbers are 64 bits (citus.md R9), text is unbounded."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: sa.DateTime(timezone=True),
        date: sa.Date(),
        UUID: sa.Uuid(),
        int: sa.BigInteger(),
        str: sa.Text(),
        bytes: sa.LargeBinary(),
        dict[str, Any]: JSONB(),
    }


class Base(ModelBase, DeclarativeBase):
    """The core's tables in every district's schema."""

    metadata = plugin_metadata()


class RegistryBase(ModelBase, DeclarativeBase):
    """The few tables of the `gongyu` schema; statements about them carry `execution_options=IN_REGISTRY`."""

    metadata = plugin_metadata()


#: Where the tables of `RegistryBase` are, also inside a district's session.
IN_REGISTRY: Final = {"schema_translate_map": {None: "gongyu"}}

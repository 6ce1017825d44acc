"""What the registry keeps sealed: a district's rules of access and its plugins' settings, for secrets stand in them."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.orm import InstrumentedAttribute

from gongyu.access.keys import KeyRing, KeysError, SealBrokenError
from gongyu.access.sealing import bound_to
from gongyu.text import Text

__all__ = ["open_said", "seal_said"]


def seal_said(
    keys: KeyRing, slug: str, column: InstrumentedAttribute[Any], *key: object, said: Mapping[str, Any]
) -> bytes | None:
    """A table of a district's file for a sealed column of its row; None where nothing is said.

    Args:
        keys: The deployment's.
        slug: The district, whose key it is.
        column: Such as `SwitchRow.settings`.
        key: The row's primary key.
        said: The table, as plain as JSON.
    """
    if not said:
        return None
    return keys.encrypt(slug, msgspec.json.encode(said), context=_context(column, key))


def open_said(
    keys: KeyRing, slug: str, column: InstrumentedAttribute[Any], *key: object, sealed: bytes | None
) -> dict[str, Any]:
    """What `seal_said` sealed for the same row.

    Raises:
        KeysError: It was sealed with other keys: those of another deployment, or a lost version.
    """
    if sealed is None:
        return {}
    try:
        opened: dict[str, Any] = msgspec.json.decode(keys.decrypt(slug, sealed, context=_context(column, key)))
    except SealBrokenError:
        raise KeysError(
            Text(
                zh="现有的密钥打不开区县 {slug} 的设置；请恢复与这个数据库配套的 keys.json 或 GONGYU_KEYS",
                en="the keys here do not open the settings of district {slug}; restore the keys.json or GONGYU_KEYS "
                "that belongs to this database",
            ).format(slug=slug)
        ) from None
    return opened


def _context(column: InstrumentedAttribute[Any], key: tuple[object, ...]) -> bytes:
    return bound_to(column.property.columns[0], *key)

"""The last line of each audit log that was seen whole, noted in the data folder.

The chain shows a change in the middle by itself, but not that its end was cut off: whoever owns the database could do
that. They would have to come to this folder too.
"""

from pathlib import Path

import msgspec

from gongyu.access.audit import Head
from gongyu.config import Config
from gongyu.plugin import District

__all__ = ["note", "noted"]


class _Noted(msgspec.Struct, frozen=True):
    seq: int
    hash: str


def _file(config: Config, district: District) -> Path:
    """By number too: a district that is dropped and made again begins another log."""
    return config.data / "audit-heads" / f"{district.slug}-{district.number}.json"


def noted(config: Config, district: District) -> Head | None:
    """What was noted last; None for a log nobody has verified here."""
    file = _file(config, district)
    if not file.exists():
        return None
    found = msgspec.json.decode(file.read_bytes(), type=_Noted)
    return Head(found.seq, bytes.fromhex(found.hash))


def note(config: Config, district: District, head: Head) -> None:
    """Whole or not at all."""
    file = _file(config, district)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(_Noted(head.seq, head.hash.hex())))
    fresh.replace(file)

"""What a plugin says about the personal data it holds: why, what of it there is, what went and stayed, how long."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

import msgspec

from gongyu.plugin import Context
from gongyu.text import Text

__all__ = ["EVERY_READER", "PROTECTED", "Erased", "Expire", "PersonPart", "Purpose", "Reader", "RetentionCategory"]

#: Who a copy is for: the person; a guardian; somebody who looks after a child without being its guardian in law (a
#: grandparent, often); an operator, who hands it on.
Reader = Literal["self", "guardian", "carer", "operator"]

EVERY_READER: Final[frozenset[Reader]] = frozenset({"self", "guardian", "carer", "operator"})
#: For sensitive parts: those to whom 个人信息保护法 31 and 45 give them, and nobody by rank.
PROTECTED: Final[frozenset[Reader]] = frozenset({"self", "guardian"})


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What personal data is processed for. Consent is asked for each purpose by itself, never for several at once
    (个人信息保护法 14, 29).

    Attributes:
        name: `<plugin>.<purpose>`; the core's begin with `core.`.
        text: All that must be said before: what is processed, where and how long it is kept, how it is protected, what
            a refusal means, how to correct, delete and complain (儿童个人信息网络保护规定 9–10).
        version: A higher one asks everybody again.
        sensitive: Sensitive by law (28); whatever belongs to a person under 14 is in any case.
        duty: The law that makes this a duty of the school; then no consent is asked and none can be refused (13 (3)).
    """

    name: str
    title: Text
    text: Text
    version: int = 1
    sensitive: bool = False
    duty: Text | None = None


class PersonPart(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of data about one person, for their copy.

    Attributes:
        name: `^[a-z][a-z0-9_]*$`; the JSON file's name.
        rows: Plain data. Everything there is; what concerns another person too is left out or made unrecognisable.
        labels: Words for the keys of the rows, for the readable page.
        readers: Whom the law gives it to; others learn only that such a part exists.
    """

    name: str
    title: Text
    rows: Sequence[Mapping[str, Any]]
    labels: Mapping[str, Text] = {}
    readers: frozenset[Reader] = EVERY_READER

    @property
    def sensitive(self) -> bool:
        return self.readers != EVERY_READER


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one kind of a person's data.

    Attributes:
        rows: How many records went, or were kept.
        kept: Why they stay: the law, in words the person understands; None for what is gone.
        until: How long at most; None without a date.
    """

    what: Text
    rows: int
    kept: Text | None = None
    until: date | None = None


#: Deletes or anonymises what came to its end before the given day, and says how many records that were.
Expire = Callable[[Context, date], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class RetentionCategory:
    """How long one kind of data is kept, and how it ends (个人信息保护法 19, 47).

    Attributes:
        name: `<plugin>.<category>`.
        purpose: What it is kept for.
        basis: By which law.
        keep: How long after it ended; the last day is included.
        shortest: What a district may shorten it to, no less than its law wants; None: not shorter than `keep`.
        longest: What a district may lengthen it to; None: not longer than `keep`.
        expire: Called once a day with the first day that is still kept. It may be called again for the same day.
    """

    name: str
    title: Text
    purpose: Text
    basis: Text
    keep: timedelta
    expire: Expire
    shortest: timedelta | None = None
    longest: timedelta | None = None

    @property
    def bounds(self) -> tuple[timedelta, timedelta]:
        """Between which a district may choose."""
        return self.shortest or self.keep, self.longest or self.keep

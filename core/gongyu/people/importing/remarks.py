"""What only the comparison with the district can find wrong in a roster: its findings, beside those of reading."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from gongyu.people.roster.canonical import Source
from gongyu.people.roster.catalogue import Severity
from gongyu.people.roster.findings import Finding, quotable
from gongyu.text import Text

__all__ = ["Remarks"]

_SHOWN: Final = 1000

_CATALOGUE: Final[Mapping[str, tuple[Severity, Text]]] = {
    "unknown_here": (
        "error",
        Text(
            zh="“{value}”既不在名册中，也不在本区县；该行未导入。",
            en="“{value}” is neither in the roster nor in the district; the row is not taken over.",
        ),
    ),
    "period_repeated": (
        "notice",
        Text(zh="与本文件中的另一行说的是同一件事，已跳过。", en="Another row says the same; skipped."),
    ),
    "person_similar": (
        "warning",
        Text(
            zh="姓名、出生日期和班级都与区县中已有的一人（{value}）相同，但号码不同。仅作提示：已作为新人导入，请核对。",
            en="Name, birth date and class are those of somebody already here ({value}), but no number is. "
            "Only a hint: taken over as a new person; check it.",
        ),
    ),
    "person_held": (
        "warning",
        Text(
            zh="姓名、出生日期和班级都与区县中已有的一人（{value}）相同，但没有相同的号码可以确认；未导入，请补充证件号或学籍号。",
            en="Name, birth date and class are those of somebody already here ({value}), but no number proves it; "
            "not taken over, add the identity or register number.",
        ),
    ),
    "number_ambiguous": (
        "warning",
        Text(
            zh="区县中或名册中不止一人使用这个号码，无法据此认人。",
            en="More than one person, here or in the roster, has this number; nobody is recognised by it.",
        ),
    ),
    "person_rekeyed": (
        "notice",
        Text(
            zh="凭号码认出此人；标识由“{old}”改为“{value}”。",
            en="Recognised by number; the id changes from “{old}” to “{value}”.",
        ),
    ),
    "corrected_here": (
        "warning",
        Text(
            zh="该项已应本人请求更正，名册的说法不同，未采用；请在来源系统中也更正。",
            en="This was put right on the person's request; the roster says otherwise and was not followed. Correct it "
            "in the source too.",
        ),
    ),
    "contact_ban_kept": (
        "warning",
        Text(
            zh="本区县已登记此监护人不得联系该学生；名册的说法不同，未采用。请人工核对。",
            en="It is on record here that this guardian may not contact the pupil; the roster says otherwise and was "
            "not followed. Check it by hand.",
        ),
    ),
    "more": (
        "notice",
        Text(
            zh="同类问题还有 {count} 处，不再逐条列出。",
            en="There are {count} more of this kind, not listed one by one.",
        ),
    ),
}


class Remarks:
    """Collects findings; the first thousand of a kind are shown, the rest is one figure."""

    def __init__(self) -> None:
        self._items: list[Finding] = []
        self._seen: Counter[str] = Counter()

    def add(self, code: str, source: Source, *, value: str = "", blocks: int = 0, **named: str) -> None:
        """Args as of `Finding`; what looks like somebody's number is redacted there too."""
        self._seen[code] += 1
        if self._seen[code] <= _SHOWN:
            severity, text = _CATALOGUE[code]
            value, named = quotable(value), {name: quotable(one) for name, one in named.items()}
            said = text.format(value=value, **named)
            self._items.append(Finding(severity, code, source.file, source.row, "", said, value, blocks))

    def close(self) -> list[Finding]:
        _, more = _CATALOGUE["more"]
        rest = {code: seen - _SHOWN for code, seen in self._seen.items() if seen > _SHOWN}
        return self._items + [
            Finding(_CATALOGUE[code][0], code, "", 0, "", more.format(count=count)) for code, count in rest.items()
        ]

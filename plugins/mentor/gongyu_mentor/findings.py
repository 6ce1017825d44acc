"""What is wrong with an instance: every place at once, in both languages, whether it came as JSON or as a workbook."""

import json
import re
from typing import NamedTuple

from gongyu.text import Text

__all__ = ["Finding", "Findings", "WrongInstanceError", "json_path", "shown"]

Path = tuple[str | int, ...]

_LIMIT = 1000
_NAME = re.compile(r"[^\W\d]\w*")
_SHOWN = 60


class Finding(NamedTuple):
    place: str
    problem: Text

    @property
    def line(self) -> Text:
        return Text(zh=f"{self.place}：{self.problem.zh}", en=f"{self.place}: {self.problem.en}")


class WrongInstanceError(Exception):
    """The instance cannot be used; `findings` names every place (the first thousand) and `left_off` counts the rest."""

    def __init__(self, findings: list[Finding], left_off: int = 0) -> None:
        self.findings = findings
        self.left_off = left_off
        super().__init__("; ".join(finding.line.en for finding in findings[:5]))


class Findings:
    """Collects findings by path; `places` translates a path where the source is not JSON."""

    def __init__(self, places: dict[Path, str] | None = None) -> None:
        self._places = places
        self._found: list[Finding] = []
        self._left_off = 0
        self._told: set[str] = set()

    def add(self, path: Path, *, zh: str, en: str) -> None:
        place = self._place(path)
        if self._places is not None:  # one cell, one finding: what follows from it would only hide the others
            if place in self._told:
                return
            self._told.add(place)
        if len(self._found) < _LIMIT:
            self._found.append(Finding(place, Text(zh=zh, en=en)))
        else:
            self._left_off += 1

    def _place(self, path: Path) -> str:
        if self._places is None:
            return json_path(path)
        while path not in self._places and path:
            path = path[:-1]
        return self._places.get(path, "")

    def raise_if_any(self) -> None:
        if self._found:
            raise WrongInstanceError(self._found, self._left_off)


def json_path(path: Path) -> str:
    """The normal way to name a place in JSON (RFC 9535): `$.mentors.m1.priority[2]`."""
    parts = ["$"]
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _NAME.fullmatch(step):
            parts.append(f".{step}")
        else:
            parts.append(f"[{shown(step)}]")
    return "".join(parts)


def shown(value: object) -> str:
    """A value as it was written, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float | None) else str(value)
    text = text.encode(errors="backslashreplace").decode()  # half a surrogate pair would not print
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

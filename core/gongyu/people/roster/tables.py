"""The tables of a package, opened once: detection looks at the first rows, reading goes on from there."""

from itertools import chain, islice

from gongyu.people.roster.findings import Findings
from gongyu.people.roster.package import UNREADABLE, Limits, Member, Package
from gongyu.people.roster.table import Cells, Sheet
from gongyu.people.roster.workbook import open_sheets

__all__ = ["HEAD", "Tables"]

HEAD = 12
"""Rows that detection may look at."""
_READABLE = (".csv", ".txt", ".tsv", ".xls", ".xlsx", ".xlsm")


class Tables:
    def __init__(self, package: Package, findings: Findings, limits: Limits) -> None:
        self.package = package
        self.findings = findings
        self._limits = limits
        self._open: dict[str, list[Sheet]] = {}

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(member for member in self.package.members if member.base.lower().endswith(_READABLE))

    def named(self, name: str) -> list[Member]:
        """The files of this name, letter case aside."""
        return [member for member in self.package.members if member.base.lower() == name.lower()]

    def heads(self, member: Member) -> list[list[Cells]]:
        """The first rows of each of its sheets; the sheets stay open."""
        heads = []
        opened = []
        for sheet in self.take(member):
            try:
                head = list(islice(sheet.rows, HEAD))
            except UNREADABLE:
                self.findings.add("zip_broken", file=member.name)
                continue
            heads.append([cells for _, cells in head if cells is not None])
            opened.append(Sheet(sheet.file, chain(head, sheet.rows)))
        self._open[member.name] = opened
        return heads

    def header(self, name: str) -> list[str]:
        """The first row of the file of this name; nothing when there is none."""
        for member in self.named(name)[:1]:
            for head in self.heads(member)[:1]:
                for cells in head[:1]:
                    return [cell.strip() for cell in cells]
        return []

    def take(self, member: Member) -> list[Sheet]:
        """Its sheets, for reading; they are not kept here any longer."""
        if (opened := self._open.pop(member.name, None)) is not None:
            return opened
        try:
            return open_sheets(member, self.findings, self._limits)
        except UNREADABLE:
            self.findings.add("zip_broken", file=member.name)
            return []

    def close(self) -> None:
        """Lets go of what detection opened and nobody read."""
        self._open.clear()

"""OneRoster's manifest.csv: the version, and of every file whether it is absent, the whole truth or only what changed.

Doubt always ends in "delta", for a delta ends nothing by silence.
"""

from collections.abc import Collection, Sequence

from gongyu.people.roster.draft import Draft
from gongyu.people.roster.package import UNREADABLE
from gongyu.people.roster.tables import Tables

__all__ = ["read_manifest"]

_FREE = ("source.systemName", "source.systemCode")
_MODES = ("absent", "bulk", "delta")


def read_manifest(tables: Tables, draft: Draft, *, version: str, names: Sequence[str]) -> Collection[str]:
    """Sets the draft's mode; answers the files to leave out."""
    findings = draft.findings
    members = tables.named("manifest.csv")
    if not members:
        findings.add("manifest_missing", file=tables.package.name)
        draft.delta, draft.statuses = True, None
        return ()
    file = members[0].name
    if members[0].base != "manifest.csv":
        findings.add("file_name_case", file=file, expected="manifest.csv")
    entries = _entries(
        tables, draft, file, known={"manifest.version", "oneroster.version", *_FREE, *(f"file.{n}" for n in names)}
    )
    said, row = entries.get("manifest.version", ("", 0))
    if said != "1.0":
        findings.add("manifest_value", file=file, row=row, column="manifest.version", value=said, expected="1.0")
    said, row = entries.get("oneroster.version", ("", 0))
    if said != version:
        findings.add("manifest_version", file=file, row=row, column="oneroster.version", value=said, expected=version)
    left_out, modes = _modes(tables, draft, file, entries, names)
    draft.delta = "bulk" not in modes or "delta" in modes
    draft.statuses = draft.delta
    if len(modes) > 1:
        draft.statuses = None
        findings.add("manifest_mixed", file=file)
    return left_out


_Entries = dict[str, tuple[str, int]]


def _modes(
    tables: Tables, draft: Draft, file: str, entries: _Entries, names: Sequence[str]
) -> tuple[list[str], set[str]]:
    """Compares what is declared with what is there: files to leave out, and the modes of the others."""
    findings = draft.findings
    left_out: list[str] = []
    modes: set[str] = set()
    for name in names:
        present = tables.named(f"{name}.csv")
        said, row = entries.get(f"file.{name}", ("", 0))
        if said not in _MODES:
            if said or present:  # an entry left out for a file left out troubles nobody
                findings.add(
                    "manifest_value", file=file, row=row, column=f"file.{name}", value=said,
                    expected="absent, bulk, delta",
                )  # fmt: skip
            said = "delta" if present else "absent"
        if said == "absent":
            if present:
                findings.add("manifest_absent", file=present[0].name)
                left_out.append(f"{name}.csv")
            continue
        modes.add(said)
        if not present:
            findings.add("file_missing", file=file, row=row, column=f"file.{name}", expected=f"{name}.csv")
    return left_out, modes


def _entries(tables: Tables, draft: Draft, file: str, known: set[str]) -> _Entries:
    entries: _Entries = {}
    member = tables.named("manifest.csv")[0]
    try:
        for sheet in tables.take(member):
            for row, cells in sheet.rows:
                if cells is None or not any(cells) or (row == 1 and cells[0].strip() == "propertyName"):
                    continue
                key = cells[0].strip()
                if key in entries or key not in known:
                    draft.findings.add("manifest_key", file=file, row=row, value=key)
                entries.setdefault(key, (cells[1].strip() if len(cells) > 1 else "", row))
    except UNREADABLE:
        draft.findings.add("zip_broken", file=file)
    return entries

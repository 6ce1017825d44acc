"""Reading rosters: a package in some dialect becomes one canonical `Roster` with findings. No database, no network."""

from gongyu.people.roster.canonical import Roster
from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.findings import Finding, write_xlsx
from gongyu.people.roster.reading import BUILT_IN, read

__all__ = ["BUILT_IN", "Column", "Dialect", "FileFormat", "Finding", "Roster", "read", "write_xlsx"]

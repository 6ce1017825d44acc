"""The standard's words and ours: OneRoster 1.2 lets others in as `ext:…`, which inside are just words."""

from typing import Final

__all__ = ["ORG_TYPES", "ROLES", "own_word", "standard_word"]

ROLES: Final = frozenset(
    {
        "aide",
        "counselor",
        "districtAdministrator",
        "guardian",
        "parent",
        "principal",
        "proctor",
        "relative",
        "siteAdministrator",
        "student",
        "systemAdministrator",
        "teacher",
        "administrator",  # of an enrolment only
    }
)
ORG_TYPES: Final = frozenset({"department", "school", "district", "local", "state", "national"})


def own_word(word: str) -> str:
    """`ext:venue` is a venue."""
    return word.removeprefix("ext:")


def standard_word(word: str, known: frozenset[str]) -> str:
    """A venue is `ext:venue` to everybody else."""
    return word if word in known else f"ext:{word}"

"""Who is asking, as every right is judged: a person with the memberships they hold today, narrowed by their token."""

from dataclasses import dataclass
from uuid import UUID

from gongyu.text import Language

__all__ = ["Membership", "Principal"]


@dataclass(frozen=True, slots=True)
class Membership:
    """A role held today.

    Attributes:
        role: A OneRoster 1.2 role name.
        org: Where it is held.
        orgs: That org and everything below it.
        everywhere: It is held in the district's root org.
    """

    role: str
    org: UUID
    orgs: frozenset[UUID]
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in person of one district.

    Attributes:
        scopes: What a token was narrowed to: permission names, or prefixes such as `points.*`; None is not narrowed.
        via: `token:<id>` or `session:<id>`.
        language: What they chose for themselves; None leaves it to the request.
    """

    person: UUID
    name: str
    memberships: tuple[Membership, ...]
    scopes: frozenset[str] | None
    via: str
    language: Language | None = None

    @property
    def actor(self) -> str:
        """As the audit log names them."""
        return f"person:{self.person}"

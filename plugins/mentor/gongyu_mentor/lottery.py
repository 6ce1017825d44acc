"""One lottery per student for the year, which nobody can steer and everybody can check.

Before the deadline the school publishes SHA-256(seed); after the run it reveals the seed. A number is
HMAC-SHA256(seed, "round|student"), so it depends on nobody's choices, on no row order and on no other student. One
lottery for all mentors and for the whole year: a new one at a rematch moves ten times as many pairs (after Feigenbaum
et al. 2020).
"""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256

__all__ = ["commitment", "draw", "new_seed", "opens"]


def new_seed() -> str:
    return secrets.token_hex(32)


def commitment(seed: str) -> str:
    """What is published before the deadline."""
    return sha256(seed.encode()).hexdigest()


def opens(*, seed: str, published: str) -> bool:
    """Does the revealed seed open the published commitment?"""
    return hmac.compare_digest(commitment(seed), published.lower())


def draw(*, seed: str, round_id: str, ids: Sequence[str]) -> list[int]:
    """For each id its place in the draw, from 0; the id itself decides only between equal digests."""
    key = seed.encode()
    digests = [hmac.digest(key, f"{round_id}|{name}".encode(), "sha256") for name in ids]
    places = [0] * len(ids)
    for place, index in enumerate(sorted(range(len(ids)), key=lambda index: (digests[index], ids[index]))):
        places[index] = place
    return places

"""What a district may set about its notice board."""

from datetime import time
from typing import Annotated, Literal

from msgspec import Meta, Struct

from gongyu.districts.settings import PER_SCHOOL


class BulletinSettings(Struct, frozen=True, forbid_unknown_fields=True):
    max_length: Annotated[int, Meta(ge=10, le=10_000, title="Longest notice, in characters"), PER_SCHOOL] = 2000
    keep_days: Annotated[int, Meta(ge=1, le=3650, title="Days a notice stays")] = 365
    tone: Literal["formal", "warm"] = "warm"
    quiet_from: time = time(22, 0)
    categories: tuple[str, ...] = ("通知", "活动")

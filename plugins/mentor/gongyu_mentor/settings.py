"""What a district, and within its bounds a school, decides about mentors."""

from typing import Annotated

from msgspec import Meta, Struct

from gongyu.districts.settings import PER_SCHOOL

__all__ = ["MentorSettings"]


class MentorSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults of a new round. Running rounds keep the rules they were made with."""

    ratio_cap: Annotated[int, Meta(ge=1, le=50, title="导师最多带多少名学生 · Most students of a mentor")] = 15
    school_cap: Annotated[
        int, Meta(ge=1, le=50, title="学校希望的人数 · Students a school wants per mentor"), PER_SCHOOL
    ] = 10
    list_length: Annotated[int, Meta(ge=1, le=20, title="志愿数 · Choices on a list"), PER_SCHOOL] = 8
    favour_percent: Annotated[
        int, Meta(ge=0, le=20, title="导师优先选择的比例 % · Share of applicants a mentor may star"), PER_SCHOOL
    ] = 10
    reserve_percent: Annotated[
        Annotated[int, Meta(ge=0, le=100)] | None,
        Meta(title="关爱预留比例 %，空为按实际比例 · Places kept for care; empty: their actual share"),
        PER_SCHOOL,
    ] = None
    care_categories: Annotated[
        tuple[str, ...], Meta(title="预留所指的关爱类别，空为全部 · Categories the reserve is for; empty: all")
    ] = ()
    appeal_days: Annotated[int, Meta(ge=0, le=30, title="公示后申诉天数 · Days to appeal"), PER_SCHOOL] = 7

import datetime as dt
import enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from gongyu.districts.settings import (
    PER_SCHOOL,
    SECRET,
    Change,
    SettingError,
    as_toml,
    defaults,
    diff,
    json_schema,
    merge_school,
    overridable_fields,
    read_settings,
    redact,
    to_raw,
)
from gongyu.text import Text


class Tone(enum.Enum):
    WARM = "warm"
    COOL = "cool"


class Prize(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1)]
    price: Annotated[int, Meta(ge=2, multiple_of=2)] = 2


class Gateway(Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, Meta(min_length=4), SECRET]
    keys: Annotated[list[int], SECRET] = []
    url: str = "https://example.org"


class Garden(Struct, frozen=True, forbid_unknown_fields=True):
    beds: Annotated[int, Meta(ge=1, le=50, title="Beds"), PER_SCHOOL] = 15
    opens: dt.time = dt.time(8)
    closes: Annotated[dt.time | None, PER_SCHOOL] = None
    since: dt.date | None = None
    tone: Tone = Tone.WARM
    watering: Literal["daily", "weekly"] = "daily"
    code: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "AB"
    sizes: Annotated[list[Annotated[int, Meta(gt=0)]], Meta(max_length=3)] = msgspec.field(
        default_factory=lambda: [2, 5]
    )
    prices: dict[Annotated[str, Meta(max_length=4)], float] = {}
    prizes: list[Prize] = []
    gateway: Gateway | None = None
    vault: Annotated[Prize | None, SECRET] = None
    limit: int | Literal["none"] = "none"

    def __post_init__(self) -> None:
        if self.closes is not None and self.closes <= self.opens:
            raise ValueError(Text(zh="关门要晚于开门", en="closes before it opens"))


def brief(errors: list[SettingError]) -> list[tuple[str, str, str, str]]:
    return [(error.path, error.code, error.expected.en, error.found) for error in errors]


def test_all_errors_are_reported_at_once() -> None:
    raw = {
        "bed": 3,
        "beds": 0,
        "opens": "8:00",
        "since": dt.time(8),
        "tone": "hot",
        "watering": "weakly",
        "code": "ab",
        "sizes": [1, 0, "x", 4],
        "prices": {"apple": 1, "fig": True},
        "prizes": [{"name": "", "price": 3}, {"prise": 2}, 7],
        "gateway": [],
        "limit": 1.5,
    }

    value, errors = read_settings(Garden, raw, path="plugins.garden")

    assert value is None
    assert brief(errors) == [
        ("plugins.garden.beds", "range", "an integer (1 – 50)", "0"),
        ("plugins.garden.opens", "type", "a time (such as 08:00:00)", '"8:00"'),
        ("plugins.garden.since", "type", "a date (such as 2026-09-01)", "08:00:00"),
        ("plugins.garden.tone", "choice", "one of `warm`, `cool`", '"hot"'),
        ("plugins.garden.watering", "choice", "one of `daily`, `weekly`", '"weakly"'),
        ("plugins.garden.code", "pattern", "text (matching `^[A-Z]{2}$`)", '"ab"'),
        ("plugins.garden.sizes", "range", "a list (length ≤ 3), each item an integer (> 0)", '[1, 0, "x", 4]'),
        ("plugins.garden.sizes[1]", "range", "an integer (> 0)", "0"),
        ("plugins.garden.sizes[2]", "type", "an integer (> 0)", '"x"'),
        ("plugins.garden.prices.apple", "range", "text (length ≤ 4)", '"apple"'),
        ("plugins.garden.prices.fig", "type", "a number", "true"),
        ("plugins.garden.prizes[0].name", "range", "text (length ≥ 1)", '""'),
        ("plugins.garden.prizes[0].price", "range", "an integer (≥ 2, a multiple of 2)", "3"),
        ("plugins.garden.prizes[1].name", "missing", "text (length ≥ 1)", ""),
        ("plugins.garden.prizes[1].prise", "unknown", "one of `name`, `price`", "prise"),
        ("plugins.garden.prizes[2]", "type", "a table", "7"),
        ("plugins.garden.gateway", "type", "a table", "***"),
        ("plugins.garden.limit", "type", "an integer or one of `none`", "1.5"),
        (
            "plugins.garden.bed",
            "unknown",
            "one of " + ", ".join(f"`{name}`" for name in sorted(Garden.__struct_fields__)),
            "bed",
        ),
    ]
    assert errors[-1].render("zh") == "plugins.garden.bed: 未知的设置项 `bed`，是不是 `beds`？"
    assert errors[-1].render("en") == "plugins.garden.bed: unknown setting `bed`, did you mean `beds`?"
    assert errors[4].render("en") == (
        "plugins.garden.watering: not one of the choices, did you mean `weekly`; "
        'expected one of `daily`, `weekly`, found "weakly"'
    )


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "AB", "warm", "weekly", "none", "08:00:00", "8:00", "2026-09-01", "long enough"]),
    st.dates(),
    st.times(),
    st.datetimes(),
)
NAMES = st.sampled_from(["name", "price", "token", "keys", "url", "other"])
VALUES = st.recursive(SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(NAMES, part, max_size=3))
FIELDS = st.sampled_from([*Garden.__struct_fields__, "stranger"])


@given(st.dictionaries(FIELDS, VALUES, max_size=3))
def test_reading_accepts_exactly_what_msgspec_accepts(raw: dict[str, Any]) -> None:
    value, errors = read_settings(Garden, raw, path="")
    try:
        expected = msgspec.convert(raw, Garden)
    except msgspec.ValidationError:
        assert value is None
        assert errors
    else:
        assert (value, errors) == (expected, [])
        assert read_settings(Garden, to_raw(expected), path="") == (expected, [])


def test_a_rule_between_fields_is_reported_at_their_table() -> None:
    _, errors = read_settings(Garden, {"closes": dt.time(7)}, path="plugins.garden")

    assert [error.render("zh") for error in errors] == ["plugins.garden: 关门要晚于开门"]


@pytest.mark.parametrize("raw", ["a\x00b", float("nan"), float("inf"), [float("-inf")]])
def test_what_the_database_cannot_hold_is_refused(raw: object) -> None:
    class Anything(Struct, frozen=True):
        value: Any

    _, errors = read_settings(Anything, {"value": raw}, path="p")

    assert brief(errors) == [("p.value", "invalid", "text without NUL, finite numbers", "")]


@pytest.mark.parametrize(
    "raw",
    [
        {"gateway": "s3cret"},
        {"gateway": ["s3cret"]},
        {"gateway": {"token": ["s3cret"]}},
        {"gateway": {"token": {"s3cret": "s3cret"}}},
        {"gateway": {"token": "good", "keys": ["s3cret", "s3cret"]}},
        {"gateway": {"token": "good", "keys": "s3cret"}},
        {"gateway": {"token": "good", "tokn": "s3cret"}},
        {"getaway": {"token": "s3cret"}},
        {"vault": {"name": "s3cret", "price": "s3cret"}},
    ],
)
def test_a_secret_is_shown_nowhere(raw: dict[str, Any]) -> None:
    _, errors = read_settings(Garden, raw, path="plugins.garden")
    old = {"gateway": {"token": "old s3cret", "keys": [1]}}

    assert errors
    for said in (repr(errors), repr(redact(Garden, raw)), repr(redact(None, raw)), repr(diff(Garden, old, raw))):
        assert "s3cret" not in said


def test_a_difference_is_what_really_changes() -> None:
    old = {"beds": 15, "opens": "08:00:00", "gateway": {"token": "first"}, "prizes": [{"name": "pen"}]}
    new = {"beds": 20, "opens": dt.time(8), "gateway": {"token": "other"}, "since": dt.date(2026, 9, 1)}

    changes = diff(Garden, old, new, path="garden")

    assert changes == [
        Change("garden.beds", 15, 20),
        Change("garden.gateway.token", "***", "***"),
        Change("garden.prizes", [{"name": "pen", "price": 2}], []),
        Change("garden.since", None, dt.date(2026, 9, 1)),
    ]
    assert [change.render() for change in changes[2:]] == [
        'garden.prizes: [{name = "pen", price = 2}] → []',
        "garden.since: — → 2026-09-01",
    ]


def test_settings_of_an_older_version_still_compare() -> None:
    assert diff(Garden, {"trees": 3, "beds": "many"}, {}) == [Change("beds", "many", 15), Change("trees", "***", None)]


def test_what_a_school_leaves_unsaid_is_no_difference() -> None:
    old, new = {"opens": "08:00:00"}, {"opens": dt.time(8), "closes": dt.time(18), "beds": 15}

    assert diff(Garden, old, new, path="schools.1.garden", filled=False) == [
        Change("schools.1.garden.beds", None, 15),
        Change("schools.1.garden.closes", None, dt.time(18)),
    ]


def test_settings_come_back_from_json_as_they_were_written() -> None:
    written = {"opens": dt.time(8), "since": dt.date(2026, 9, 1), "prizes": [{"name": "08:00:00"}], "trees": "08:00:00"}

    assert as_toml(Garden, msgspec.json.decode(msgspec.json.encode(written))) == written


def test_defaults_are_what_toml_can_hold() -> None:
    assert defaults(Garden) == {
        "beds": 15,
        "code": "AB",
        "limit": "none",
        "opens": dt.time(8),
        "prices": {},
        "prizes": [],
        "sizes": [2, 5],
        "tone": "warm",
        "watering": "daily",
    }
    assert defaults(Prize) == {"price": 2}


def test_a_school_may_set_marked_fields_only() -> None:
    base = Garden(beds=10, code="XY")

    assert overridable_fields(Garden) == {"beds", "closes"}
    assert merge_school(Garden, base, {"beds": 3}, path="s") == (Garden(beds=3, code="XY"), [])
    merged, errors = merge_school(Garden, base, {"beds": 0, "code": "ZZ", "bedz": 1}, path="schools.1.garden")
    assert merged is None
    assert [error.render("en") for error in errors] == [
        "schools.1.garden.beds: out of range; expected an integer (1 – 50), found 0",
        "schools.1.garden.code: setting `code` cannot be set per school; those that can are `beds`, `closes`",
        "schools.1.garden.bedz: unknown setting `bedz`, did you mean `beds`?",
    ]
    _, errors = merge_school(Garden, base, {"closes": dt.time(7)}, path="schools.1.garden")
    assert [error.render("en") for error in errors] == ["schools.1.garden: closes before it opens"]


def test_the_schema_marks_secrets_and_school_fields() -> None:
    definitions = json_schema(Garden)["$defs"]

    assert definitions["Garden"]["properties"]["beds"] == {
        "title": "Beds",
        "type": "integer",
        "minimum": 1,
        "maximum": 50,
        "default": 15,
        "x-per-school": True,
    }
    assert definitions["Gateway"]["properties"]["token"] == {"type": "string", "minLength": 4, "writeOnly": True}

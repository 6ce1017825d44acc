import datetime as dt
import json
import tomllib
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

from gongyu.districts.file import DistrictFile, PluginEntry, load, parse, render, validate
from gongyu.districts.positions import positions_of
from gongyu.districts.settings import PER_SCHOOL, SECRET, subpath


class Prize(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    price: Annotated[int, Meta(ge=1)] = 2


class Garden(Struct, frozen=True, forbid_unknown_fields=True):
    beds: Annotated[int, Meta(ge=1, le=50), PER_SCHOOL] = 15
    opens: dt.time = dt.time(8)
    watering: Literal["daily", "weekly"] = "daily"
    prizes: list[Prize] = []
    token: Annotated[str, SECRET] | None = None


TYPES: dict[str, type[Struct] | None] = {"garden": Garden, "choir": None}

SLUG = "2 to 31 lower-case letters or digits, a letter first"


def report(text: str | bytes) -> tuple[str, str]:
    district_file, values, errors = load(text, file="ezhou.toml", types=TYPES)
    assert (district_file, values) == (None, {})
    return "\n".join(error.render("zh") for error in errors), "\n".join(error.render("en") for error in errors)


TEN_ERRORS = """\
[district]
slug = "E-zhou"
timezone = "Asia/Shanghia"

[plugins.garden]
enabled = "no"
bed = 3
beds = 99
opens = "8 点"
watering = "weakly"
token = 1234

[[plugins.garden.prizes]]
name = "笔"

[[plugins.garden.prizes]]
price = 0

[plugins.gardn]

[plugins.choir]
voices = 4

[schools."3162012300".garden]
beds = 0
watering = "weekly"
"""


def test_a_file_full_of_errors_is_reported_in_one_go() -> None:
    chinese, english = report(TEN_ERRORS)

    assert (
        chinese
        == """\
ezhou.toml:1: district.name: 缺少设置项 `name`；应为文字（长度 1 – 100）
ezhou.toml:2: district.slug: 格式不对；应为 2 到 31 个小写字母或数字，以字母开头，实为 "E-zhou"
ezhou.toml:3: district.timezone: 没有这个时区，是不是 `Asia/Shanghai`；应为 IANA 时区名，实为 "Asia/Shanghia"
ezhou.toml:6: plugins.garden.enabled: 类型不对；应为 true 或 false，实为 "no"
ezhou.toml:7: plugins.garden.bed: 未知的设置项 `bed`，是不是 `beds`？
ezhou.toml:8: plugins.garden.beds: 超出允许的范围；应为整数（1 – 50），实为 99
ezhou.toml:9: plugins.garden.opens: 类型不对；应为时间（如 08:00:00），实为 "8 点"
ezhou.toml:10: plugins.garden.watering: 不在可选值之中，是不是 `weekly`；应为 `daily`, `weekly` 之一，实为 "weakly"
ezhou.toml:11: plugins.garden.token: 类型不对；应为文字，实为 ***
ezhou.toml:16: plugins.garden.prizes[1].name: 缺少设置项 `name`；应为文字
ezhou.toml:17: plugins.garden.prizes[1].price: 超出允许的范围；应为整数（≥ 1），实为 0
ezhou.toml:19: plugins.gardn: 未知的插件 `gardn`，是不是 `garden`？
ezhou.toml:22: plugins.choir.voices: 未知的设置项 `voices`；这里没有可用的名称
ezhou.toml:25: schools.3162012300.garden.beds: 超出允许的范围；应为整数（1 – 50），实为 0
ezhou.toml:26: schools.3162012300.garden.watering: 设置项 `watering` 不能按学校另设；可以另设的有 `beds`"""
    )
    assert (
        english
        == """\
ezhou.toml:1: district.name: setting `name` is missing; expected text (length 1 – 100)
ezhou.toml:2: district.slug: wrong format; expected 2 to 31 lower-case letters or digits, a letter first, found "E-zhou"
ezhou.toml:3: district.timezone: no such time zone, did you mean `Asia/Shanghai`; \
expected the name of an IANA time zone, found "Asia/Shanghia"
ezhou.toml:6: plugins.garden.enabled: wrong type; expected true or false, found "no"
ezhou.toml:7: plugins.garden.bed: unknown setting `bed`, did you mean `beds`?
ezhou.toml:8: plugins.garden.beds: out of range; expected an integer (1 – 50), found 99
ezhou.toml:9: plugins.garden.opens: wrong type; expected a time (such as 08:00:00), found "8 点"
ezhou.toml:10: plugins.garden.watering: not one of the choices, did you mean `weekly`; \
expected one of `daily`, `weekly`, found "weakly"
ezhou.toml:11: plugins.garden.token: wrong type; expected text, found ***
ezhou.toml:16: plugins.garden.prizes[1].name: setting `name` is missing; expected text
ezhou.toml:17: plugins.garden.prizes[1].price: out of range; expected an integer (≥ 1), found 0
ezhou.toml:19: plugins.gardn: unknown plugin `gardn`, did you mean `garden`?
ezhou.toml:22: plugins.choir.voices: unknown setting `voices`; none are known here
ezhou.toml:25: schools.3162012300.garden.beds: out of range; expected an integer (1 – 50), found 0
ezhou.toml:26: schools.3162012300.garden.watering: setting `watering` cannot be set per school; \
those that can are `beds`"""
    )


@pytest.mark.parametrize(
    ("text", "chinese", "english"),
    [
        ("[a]\nb = 1\nb = 2\n", "3: TOML 语法错误：同一个键写了两次", "3: TOML syntax error: Cannot overwrite a value"),
        (
            'slug = “e”\ntoken = "s3cret"',
            "1: TOML 语法错误：值的写法不对；这里是全角符号；实为 `“`",
            "1: TOML syntax error: Invalid value; this is a full-width character; found `“`",
        ),
        (
            "[district",
            "1: TOML 语法错误：表头应以 `]` 结束",
            "1: TOML syntax error: Expected ']' at the end of a table declaration",
        ),
        ('a = 1\r\nb = "x', "2: TOML 语法错误：文字没有用引号结束", "2: TOML syntax error: Unterminated string"),
        (
            "a = 1\n# 鄂州\n".encode("gbk"),
            "2: 文件不是 UTF-8 编码，请另存为 UTF-8",
            "2: not encoded in UTF-8; save the file as UTF-8",
        ),
        (
            "a = " + "[" * 9999,
            "1: TOML 语法错误：嵌套太深，或数字太长",
            "1: TOML syntax error: nested too deep or a number too long",
        ),
    ],
)
def test_broken_toml_names_the_line(text: str | bytes, chinese: str, english: str) -> None:
    assert report(text) == (f"ezhou.toml:{chinese}", f"ezhou.toml:{english}")


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("", "1: district: setting `district` is missing; expected a table"),
        ("plugins = 3\n[district]\nslug='ez'\nname='E'", "1: plugins: wrong type; expected a table, found 3"),
        (
            "[district]\nslug = 'ez'\nname = 'E'\n[plugin.garden]",
            "4: plugin: unknown setting `plugin`, did you mean `plugins`?",
        ),
        (
            "[district]\nslug = 'ez'\nname = 'E'\n[schools.1.garden]",
            "4: schools.1.garden: the district does not use plugin `garden`; expected [plugins.garden]",
        ),
        (
            "[district]\nslug = 'ez'\nname = 'E'\n[plugins.choir]\nx = ['\\u0000', \"\\u0000\"]",
            "5: plugins.choir.x: holds what cannot be stored; expected text without NUL, finite numbers",
        ),
        (
            '[district]\nname = "E"\nslug = "ez\\n"',
            f"3: district.slug: wrong format; expected {SLUG}, found " + r'"ez\n"',
        ),
    ],
)
def test_a_wrong_layout_names_the_line(text: str, english: str) -> None:
    assert report(text)[1] == f"ezhou.toml:{english}"


CANONICAL = """\
[district]
slug = "ezhou"
name = "鄂州市"
timezone = "Asia/Shanghai"

[plugins.choir]

[plugins.garden]
enabled = false
opens = 07:30:00

[[plugins.garden.prizes]]
name = "笔"
price = 3

[schools.3162012300.garden]
beds = 10
"""


def test_a_file_is_read_and_written_back_byte_for_byte() -> None:
    district_file, values, errors = load(CANONICAL, file="ezhou.toml", types=TYPES)

    assert errors == []
    assert district_file == DistrictFile(
        slug="ezhou",
        name="鄂州市",
        plugins={
            "garden": PluginEntry(
                enabled=False, settings={"prizes": [{"price": 3, "name": "笔"}], "opens": dt.time(7, 30)}
            ),
            "choir": PluginEntry(),
        },
        schools={"3162012300": {"garden": {"beds": 10}}},
    )
    assert values == {"choir": None, "garden": Garden(opens=dt.time(7, 30), prizes=[Prize("笔", 3)])}
    assert render(district_file) == CANONICAL
    shuffled = CANONICAL.replace('name = "笔"\nprice = 3', 'price = 3\nname = "笔"').replace("[plugins.choir]\n\n", "")
    assert render(parse(shuffled + "[plugins.choir]", file="ezhou.toml")[0] or district_file) == CANONICAL
    windows = b"\xef\xbb\xbf" + CANONICAL.replace("\n", "\r\n").encode()
    assert parse(windows, file="ezhou.toml") == (district_file, [])


def test_a_plugin_absent_from_the_machine_is_kept_while_off_or_on_before() -> None:
    text = CANONICAL.replace("garden", "removed")
    off, errors = parse(text, file="ezhou.toml")
    assert off is not None
    assert errors == []
    on, _ = parse(text.replace("enabled = false\n", ""), file="ezhou.toml")

    assert validate(off, TYPES) == ({"choir": None}, [])
    unknown = "ezhou.toml:6: plugins.choir: unknown plugin `choir`; none are known here"
    assert [error.render("en") for error in validate(off, {})[1]] == [unknown]
    assert load(render(off), file="ezhou.toml", types={}, missing={"ezhou": ["choir"]}) == (off, {}, [])
    assert load(render(off), file="ezhou.toml", types={}, missing={"other": ["choir"]})[0] is None
    assert on is not None
    assert validate(on, TYPES, missing=["removed"]) == ({"choir": None}, [])


# --- laws ------------------------------------------------------------------------------------------------------------

CHARACTERS = st.one_of(
    st.sampled_from("鄂州市共育\"'\\\n\r\t\x00\x7f\x1b#=.,[]{}𬭚㛃 \u2028\ufeff"),
    st.characters(codec="utf-8"),
)
WORDS = st.text(CHARACTERS, max_size=8)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
SCALARS = st.one_of(
    WORDS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.none() | ZONES),
)
VALUES = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=3) | st.dictionaries(WORDS, part, max_size=3), max_leaves=8
)
TABLES = st.dictionaries(WORDS.filter(lambda word: word != "enabled"), VALUES, max_size=3)
FILES = st.builds(
    DistrictFile,
    slug=st.from_regex(r"[a-z][a-z0-9]{1,30}", fullmatch=True),
    name=WORDS.filter(lambda word: bool(word) and "\x00" not in word),
    timezone=st.sampled_from(["Asia/Shanghai", "Asia/Urumqi", "UTC"]),
    plugins=st.dictionaries(WORDS, st.builds(PluginEntry, enabled=st.booleans(), settings=TABLES), max_size=3),
    schools=st.dictionaries(WORDS, st.dictionaries(WORDS, TABLES, max_size=2), max_size=2),
)


def storable(value: object) -> bool:
    """Without NUL, which no setting may hold."""
    return "\\u0000" not in json.dumps(value, default=str)


@given(FILES)
def test_rendering_and_parsing_are_inverse(district_file: DistrictFile) -> None:
    assume(storable([{name: entry.settings for name, entry in district_file.plugins.items()}, district_file.schools]))

    text = render(district_file)
    parsed, errors = parse(text, file="x.toml")

    assert errors == []
    assert parsed == district_file
    assert render(parsed) == text


def paths(value: object, path: str = "") -> set[str]:
    """Every path of a parsed document: the figure the scanner must agree with."""
    members: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    return {path} - {""} | {name for key, part in members for name in paths(part, subpath(path, key))}


@st.composite
def toml_string(draw: st.DrawFn) -> str:
    """A string in one of the four notations, full of what would mislead a scanner."""
    text = draw(st.text(st.sampled_from("a鄂\"'\\#=.,[]{} \n"), max_size=8))
    basic = json.dumps(text, ensure_ascii=False)[1:-1]
    literal = text.replace("'", "").replace("\n", "")
    return draw(
        st.sampled_from(
            [
                f'"{basic}"',
                f"'{literal}'",
                '"""' + basic.replace("\\n", "\n") + '"""',
                '"""' + basic.replace('\\"', '"').replace('"""', "") + 'x""\\"" \\\n  """',
                "'''" + text.replace("'''", "").rstrip("'") + "'''",
                "'''it''s''''",
                '"""two quotes before the end"""""',
            ]
        )
    )


GAPS = st.sampled_from(["", " ", "\t", "\n", ' # ] } \'""" = 鄂\n  '])
KEYS = st.sampled_from(["a", "b", "c-1", "3", '"q.u"', "'l[0]'", '"\\u9102\\""', '""', "true"])
DOTTED = st.lists(KEYS, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([".", " . ", "\t."]).map(lambda dot: dot.join(parts))
)
ATOMS = toml_string() | st.sampled_from(
    ["1", "-0.5e+3", "inf", "true", "0xFF", "1979-05-27", "07:32:00", "1979-05-27 07:32:00.5Z", "1979-05-27T07:32:00"]
)


def containers(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    item: Callable[..., str] = lambda before, value, after: before + value + after  # noqa: E731 - a strategy wants a callable
    items = st.lists(st.builds(item, GAPS, part, GAPS), max_size=3)
    arrays = st.builds(lambda inside, end: "[" + ",".join(inside) + end + "]", items, GAPS)
    pairs = st.lists(st.tuples(DOTTED, part), max_size=2)
    tables = pairs.map(lambda found: "{ " + ", ".join(f"{key}= {value}" for key, value in found) + " }")
    return arrays | tables


TOML_VALUES = st.recursive(ATOMS, containers, max_leaves=5)
STATEMENTS = st.one_of(
    st.builds("{} = {} # 注 [x]\n".format, DOTTED, TOML_VALUES),
    st.builds("  [ {} ]\n".format, DOTTED),
    st.builds("[[{}]]# end\n".format, DOTTED),
)


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.lists(STATEMENTS, max_size=8))
def test_the_scanner_finds_the_paths_that_tomllib_finds(statements: list[str]) -> None:
    text, document = "", {}
    for statement in statements:  # keep what is valid together: random keys often collide
        try:
            document = tomllib.loads(text + statement)
        except tomllib.TOMLDecodeError:
            continue
        text += statement

    assert set(positions_of(text)) == paths(document)


def test_positions_are_where_the_eye_looks() -> None:
    text = '# 鄂州\n[a."b c"]\nx.y = { z = [1,\n  2] }\n[[t]]\n[[t]]\nk = """\n[no]\n"""\nend = 1\n'

    assert positions_of(text) == {
        "a": (2, 2),
        'a."b c"': (2, 4),
        'a."b c".x': (3, 1),
        'a."b c".x.y': (3, 3),
        'a."b c".x.y.z': (3, 9),
        'a."b c".x.y.z[0]': (3, 14),
        'a."b c".x.y.z[1]': (4, 3),
        "t": (6, 3),
        "t[0]": (5, 3),
        "t[1]": (6, 3),
        "t[1].k": (7, 1),
        "t[1].end": (10, 1),
    }

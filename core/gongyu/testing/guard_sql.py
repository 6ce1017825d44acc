# guard: off - this file names what it looks for
"""The rules' words, and what the guard finds in SQL text: see `gongyu.testing.guard`."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from gongyu.text import Text

__all__ = ["RULES", "VOLATILE", "Finding", "search"]


class Finding(msgspec.Struct, frozen=True):
    """One breach of a rule; `place` is `file:line` or the name of a table."""

    code: str
    place: str
    text: Text


RULES: Final = {
    "set_config": Text(
        zh="触发器和行级策略看不到 set_config()；请用字面的 SET LOCAL name = '…'",
        en="triggers and row policies do not see set_config(); use a literal SET LOCAL name = '…'",
    ),
    "truncate": Text(
        zh="TRUNCATE 与其他事件写在同一个触发器中会使触发器悄悄失效；请分成两个触发器",
        en="a trigger that mixes TRUNCATE with other events is silently not made; write two triggers",
    ),
    "notify": Text(
        zh="函数体中的 NOTIFY 会丢失；请由应用发出 NOTIFY",
        en="NOTIFY from a function body is lost; notify from the application",
    ),
    "tg_table_name": Text(
        zh="TG_TABLE_NAME 带有分片编号；请把表名作为触发器参数传入",
        en="TG_TABLE_NAME carries a shard number; pass the table's name as an argument of the trigger",
    ),
    "deferrable": Text(
        zh="延迟约束在提交时只报 XX000，SET CONSTRAINTS 不起作用；请在语句内检查",
        en="deferred constraints fail at COMMIT with a bare XX000 and SET CONSTRAINTS does nothing; "
        "check in the statement",
    ),
    "narrow_key": Text(
        zh="int/smallint/serial 键会在其他节点上溢出；请用 uuid 或 bigint 加 Identity()",
        en="int, smallint and serial keys overflow on other nodes; use uuid, or bigint with Identity()",
    ),
    "volatile": Text(
        zh="UPDATE 中不能有易变函数 {name}()；请在 Python 中计算（now() 可以）",
        en="no volatile function {name}() in an UPDATE; compute it in Python (now() is fine)",
    ),
    "merge": Text(
        zh="不能用 MERGE；请用 INSERT … ON CONFLICT",
        en="MERGE does not work; use INSERT … ON CONFLICT",
    ),
    "values": Text(
        zh="VALUES 中不能有子查询；请用 INSERT … SELECT",
        en="no subquery inside VALUES; use INSERT … SELECT",
    ),
    "advisory": Text(
        zh="函数体内的咨询锁取在另一个锁空间；请单独执行 SELECT pg_advisory_xact_lock(…)，"
        "或在该行注明 -- guard: R13 理由",
        en="an advisory lock in a function body is taken in another lock space; "
        "run SELECT pg_advisory_xact_lock(…) alone, or say on its line -- guard: R13 reason",
    ),
    "add_column": Text(
        zh="ADD COLUMN 不能带 CHECK、identity 或 serial；请先加列，再单独加命名的约束",
        en="ADD COLUMN takes no CHECK, identity or serial; add the column, then a named constraint",
    ),
    "add_constraint": Text(
        zh="同一个 ALTER TABLE 不能既加列又加约束；请分成两条语句",
        en="one ALTER TABLE cannot add a column and a constraint; write two statements",
    ),
    "no_key": Text(
        zh="没有主键；没有主键的表无法移到另一个节点",
        en="no primary key; without one a table cannot move to another node",
    ),
    "long_name": Text(
        zh="名称 {name} 有 {length} 个字符，最多 {most} 个；更长的名称在错误消息中会被改写",
        en="the name {name} has {length} characters, at most {most}: longer ones are mangled in messages",
    ),
    "other_schema": Text(
        zh="外键指向另一个模式 {schema}；区县的表只能引用本区县的表",
        en="the foreign key leaves for the schema {schema}; a district's tables refer only to each other",
    ),
    "on_delete": Text(
        zh="插件的外键必须写明 ON DELETE CASCADE 或 SET NULL",
        en="a plugin's foreign key must say ON DELETE CASCADE or SET NULL",
    ),
    "neighbour": Text(
        zh="外键指向 {target}：插件的外键只能指向核心表或自己的表",
        en="it points to {target}; a plugin's foreign keys may point to core tables and its own only",
    ),
}

VOLATILE: Final = re.compile(
    r"\b(gen_random_uuid|uuid_generate_v\d\w*|uuidv[47]|clock_timestamp|timeofday|random|nextval|currval|lastval)\s*\(",
    re.IGNORECASE,
)
_FLAGS: Final = re.IGNORECASE | re.DOTALL
# Comments and the insides of literals are no code. A literal that ends nowhere is left alone: it is an apostrophe.
_NO_CODE: Final = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", _FLAGS)
_IDENTITY: Final = r"generated\s+(?:always|by\s+default)\s+as\s+identity"
_PLAIN: Final = (
    ("R2", "set_config", re.compile(r"\bset_config\s*\(", _FLAGS)),
    ("R5", "tg_table_name", re.compile(r"\btg_(?:table|rel)_?name\b", _FLAGS)),
    ("R8", "deferrable", re.compile(r"(?<!\bnot\s)\bdeferrable\b|\bset\s+constraints\b", _FLAGS)),
    ("R9", "narrow_key", re.compile(rf"\b(?:int|int[24]|integer|smallint)\b[^,;()]*?\b{_IDENTITY}\b", _FLAGS)),
    ("R11", "merge", re.compile(r"\bmerge\s+into\b", _FLAGS)),
)
_TRIGGER: Final = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\s+\S+\s+(?:before|after|instead\s+of)\s(.*?)\son\s",
    _FLAGS,
)
_TRUNCATE: Final = re.compile(r"\btruncate\b", _FLAGS)
_BODY: Final = re.compile(r"\$(\w*)\$(.*?)\$\1\$", _FLAGS)
_NOTIFY: Final = re.compile(r"\bnotify\s+[\w\"]|\bpg_notify\s*\(", _FLAGS)
_ADVISORY: Final = re.compile(r"\bpg_(?:try_)?advisory_(?:xact_)?(?:un)?lock\w*\s*\(", _FLAGS)
_ALLOWED: Final = re.compile(r"--\s*guard:\s*R13\s+\S")
_UPDATE: Final = re.compile(r"(?<!\bon\s)(?<!\bor\s)(?<!\bfor\s)(?<!\bkey\s)\bupdate\s[^;]*?\bset\b", _FLAGS)
_VALUES: Final = re.compile(r"\bvalues\s*(?=\()", _FLAGS)
_ROW: Final = re.compile(r"[\s,]*\(")
_SUBQUERY: Final = re.compile(r"\(\s*(?:select|with)\b", _FLAGS)
_TABLE: Final = re.compile(r"\b(?:create\s+(?:\w+\s+){0,3}?|alter\s+)table\b", _FLAGS)
_SERIAL: Final = re.compile(r"[\w\"]\s+(?:small)?serial[24]?\b", _FLAGS)
_ADDS_COLUMN: Final = re.compile(
    r"\badd\s+(?:column\b|(?!(?:constraint|primary|unique|check|foreign|exclude|table|value)\b)[\w\"])", _FLAGS
)
_ADDS_CONSTRAINT: Final = re.compile(r"\badd\s+(?:constraint|primary|unique|check|foreign|exclude)\b", _FLAGS)
_TOO_MUCH: Final = re.compile(rf"\bcheck\s*\(|\b{_IDENTITY}\b|\b(?:small|big)?serial[248]?\b", _FLAGS)


def search(sql: str) -> Iterator[tuple[int, str, Text]]:
    """Offset, code and words of every breach."""
    code = _NO_CODE.sub(_blank, sql)
    for rule, words, pattern in _PLAIN:
        for match in pattern.finditer(code):
            yield match.start(), rule, RULES[words]
    for match in _TRIGGER.finditer(code):
        events = re.split(r"\bor\b", match[1], flags=re.IGNORECASE)
        if len(events) > 1 and _TRUNCATE.search(match[1]):
            yield match.start(), "R4", RULES["truncate"]
    for match in _UPDATE.finditer(code):
        for volatile in VOLATILE.finditer(code, match.start(), _end(code, match.start())):
            yield volatile.start(), "R10", RULES["volatile"].format(name=volatile[1].lower())
    for match in _VALUES.finditer(code):
        if any(_SUBQUERY.search(code, begin, end) for begin, end in _rows(code, match.end())):
            yield match.start(), "R11", RULES["values"]
    yield from _in_tables(code)
    yield from _in_bodies(code, sql)


def _in_tables(code: str) -> Iterator[tuple[int, str, Text]]:
    for match in _TABLE.finditer(code):
        start, end = match.start(), _end(code, match.start())
        if not match[0].lower().startswith("alter"):
            for serial in _SERIAL.finditer(code, start, end):
                yield serial.start(), "R9", RULES["narrow_key"]
            continue
        parts = list(_parts(code, start, end))
        added = [(begin, stop) for begin, stop in parts if _ADDS_COLUMN.search(code, begin, stop)]
        for begin, stop in added:
            if found := _TOO_MUCH.search(code, begin, stop):
                yield found.start(), "R17", RULES["add_column"]
        if added and any(_ADDS_CONSTRAINT.search(code, begin, stop) for begin, stop in parts):
            yield start, "R17", RULES["add_constraint"]


def _in_bodies(code: str, sql: str) -> Iterator[tuple[int, str, Text]]:
    for body in _BODY.finditer(code):
        for match in _NOTIFY.finditer(code, *body.span(2)):
            yield match.start(), "R4", RULES["notify"]
        for match in _ADVISORY.finditer(code, *body.span(2)):
            line = sql[sql.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
            if not _ALLOWED.search(line):
                yield match.start(), "R13", RULES["advisory"]


def _blank(match: re.Match[str]) -> str:
    """As long as before and with the same lines, so that every offset stays true; quotes stay."""
    keep = "'\n" if match[0].startswith("'") else "\n"
    return "".join(sign if sign in keep else " " for sign in match[0])


def _end(code: str, start: int) -> int:
    """Where the statement, or the parentheses around it, that `start` lies in ends."""
    depth = 0
    for at in range(start, len(code)):
        depth += (code[at] == "(") - (code[at] == ")")
        if depth < 0 or (code[at] == ";" and depth == 0):
            return at
    return len(code)


def _rows(code: str, start: int) -> Iterator[tuple[int, int]]:
    """The insides of the parentheses after VALUES."""
    while row := _ROW.match(code, start):
        end = _end(code, row.end())
        yield row.end(), end
        start = end + 1


def _parts(code: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The subcommands of an ALTER TABLE: what lies between its outer commas."""
    depth, begin = 0, start
    for at in range(start, end):
        depth += (code[at] == "(") - (code[at] == ")")
        if code[at] == "," and depth == 0:
            yield begin, at
            begin = at + 1
    yield begin, end

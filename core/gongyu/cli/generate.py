"""`gongyu demo generate`: a district that does not exist, as a file to import."""

import datetime as dt
from pathlib import Path

import click
import msgspec

from gongyu.cli.frame import WRONG_INPUT, fail, say
from gongyu.districts.file import Slug
from gongyu.text import Text

__all__ = ["generate"]

_TODAY = "2026-09-01"
_LONGEST = 100  # as a district's name
_YEARS = range(2000, 2101)


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="种子相同则文件相同 · the same seed, the same file",
)
@click.option("--schools", type=click.IntRange(1, 10_000), default=3, show_default=True, help="学校数 · schools")
@click.option("--pupils", type=click.IntRange(0, 1_000_000), default=600, show_default=True, help="学生数 · pupils")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["oneroster", "register"]),
    default="oneroster",
    show_default=True,
    help="OneRoster 1.2 压缩包，或学籍信息模板 · a OneRoster 1.2 zip, or the student register's workbook",
)
@click.option("--name", default="示范区", show_default=True, help="区县名称 · the district's name")
@click.option("--slug", default="demo", show_default=True, help="区县代号 · the district's slug")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    default=_TODAY,
    show_default=True,
    help="学年与请假以此日为准 · the day the school year and leaves are meant for",
)
def generate(
    *, out: Path, seed: int, schools: int, pupils: int, format_: str, name: str, slug: str, today: dt.datetime
) -> None:
    """生成虚构的区县名册 · Make up a district's roster.

    人物、证件号、电话均为虚构 · Its people, identity numbers and telephone numbers are nobody's.
    """
    from gongyu.people.generate import generate as make  # noqa: PLC0415 - openpyxl is slow to import
    from gongyu.people.generate import write_oneroster, write_register  # noqa: PLC0415 - as above

    _check(name=name, slug=slug, today=today)
    population = make(seed, schools=schools, pupils=pupils, name=name, slug=slug, today=today.date())
    write = write_oneroster if format_ == "oneroster" else write_register
    try:
        totals = write(population, out)
    except OSError as error:
        fail(
            Text(zh="无法写入 {out}：{reason}", en="{out} cannot be written: {reason}").format(
                out=out, reason=error.strerror or error
            )
        )
    say(
        Text(
            zh="{out}：{schools} 所学校，{classes} 个班，{pupils} 名学生，{guardians} 名监护人，{staff} 名教职工",
            en="{out}: {schools} schools, {classes} classes, {pupils} pupils, {guardians} guardians, {staff} staff",
        ).format(
            out=out,
            schools=totals.schools,
            classes=totals.classes,
            pupils=totals.pupils,
            guardians=totals.guardians,
            staff=totals.staff,
        )
    )


def _check(*, name: str, slug: str, today: dt.datetime) -> None:
    try:
        msgspec.convert(slug, Slug)
    except msgspec.ValidationError:
        expected = Text(
            zh="--slug {found}：应为 2 到 31 个小写字母或数字，以字母开头",
            en="--slug {found}: 2 to 31 lower-case letters or digits are expected, a letter first",
        )
        fail(expected.format(found=repr(slug)), WRONG_INPUT)
    # The name stands at the start of cells, where a spreadsheet would take these marks for a formula.
    if not name.strip() or not name.isprintable() or name.startswith(("=", "+", "-", "@", "'")) or len(name) > _LONGEST:
        expected = Text(
            zh="--name {found}：应为 1 到 100 个可见字符，且不以 = + - @ ' 开头",
            en="--name {found}: 1 to 100 visible characters are expected, none of = + - @ ' first",
        )
        fail(expected.format(found=repr(name)), WRONG_INPUT)
    if today.year not in _YEARS:
        expected = Text(
            zh="--today {found}：应在 {first} 年到 {last} 年之间", en="--today {found}: from {first} to {last}"
        )
        fail(expected.format(found=today.date(), first=_YEARS[0], last=_YEARS[-1]), WRONG_INPUT)

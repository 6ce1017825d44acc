"""A roster of the district's own making: one file `staff.csv` with the columns code, school, id, name."""

from gongyu.people.roster.canonical import Membership, Org, Person
from gongyu.people.roster.dialect import Column, Dialect, FileFormat
from gongyu.people.roster.draft import Row
from gongyu.people.roster.tables import Tables
from gongyu.plugin import Text


def _detect(tables: Tables) -> Text | None:
    if tables.named("staff.csv"):
        return None
    return Text(zh="缺少 staff.csv。", en="staff.csv is missing.")


def _line(row: Row) -> None:
    code, school, id_, name = (row.values[field] for field in ("code", "school", "id", "name"))
    if code not in row.draft.orgs:
        row.draft.keep_org(Org(source=row.source, sourced_id=code, name=school, type="school", identifier=code))
    row.draft.keep_person(Person(source=row.source, sourced_id=id_, name=name))
    row.draft.keep_membership(Membership(source=row.source, person=id_, org=code, role="teacher"))
    row.draft.add_role(id_, "teacher")


STAFF_LIST = Dialect(
    name="staff-list",
    title=Text(zh="教职工名单", en="Staff list"),
    detect=_detect,
    files=(
        FileFormat(
            "staff.csv",
            tuple(Column(name, name, required=True) for name in ("code", "school", "id", "name")),
            _line,
            key="id",
            required=True,
        ),
    ),
)

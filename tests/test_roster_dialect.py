"""The hook `roster_dialects`: a dialect that a plugin brings is known where the plugin is on, and nowhere else."""

from pathlib import Path

from gongyu.people.importing.service import plan_roster
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict


async def test_roster_dialects_of_a_plugin_are_known_where_it_is_on(
    platform: Platform, make_district: MakeDistrict, tmp_path: Path
) -> None:
    folder = tmp_path / "roster"
    folder.mkdir()
    (folder / "staff.csv").write_text(
        "code,school,id,name\n3162012300,武昌学校,t1,王老师\n3162012300,武昌学校,t2,李老师\n", encoding="utf-8"
    )
    await make_district("ezhou", "[plugins.bulletin]")
    await make_district("yangzhou")
    here = await plan_roster(platform, "ezhou", folder)
    assert here.roster.dialect == "staff-list"
    assert [person.name for person in here.roster.persons] == ["王老师", "李老师"]
    assert here.roster.findings == ()
    there = await plan_roster(platform, "yangzhou", folder)
    assert there.roster.dialect == ""
    assert [finding.code for finding in there.roster.findings] == ["dialect_unknown"]

from gongyu.districts.service import current_file
from gongyu.platform import Platform
from gongyu.testing.plugin import MakeDistrict


async def test_district_is_there_after_apply(platform: Platform, make_district: MakeDistrict) -> None:
    state = await make_district("ezhou")
    assert state.district.schema == "d_ezhou"
    assert current_file(platform, "ezhou") is not None

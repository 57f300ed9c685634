"""The page about tracks names every parameter with its default, and every kind of milestone."""

import re
from pathlib import Path

import msgspec
import pytest

from tracking.domain.places import REACH_M
from tracking.domain.places.geodesy import DENSIFY_STEP_M
from tracking.domain.tracks import DEFAULTS, KINDS, Parameters, Profile

PAGE = (Path(__file__).parents[2] / "docs" / "tracks.md").read_text()
ROWS = {
    cells[0]: cells[1:] for cells in re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \| ", PAGE, re.MULTILINE)
}


@pytest.mark.parametrize("name", msgspec.structs.asdict(DEFAULTS))
def test_every_parameter_has_its_row_with_its_default(name):
    assert float(ROWS[name][0]) == getattr(DEFAULTS, name)
    assert re.search(rf"^ {{8}}{name}: .*\S", Parameters.__doc__, re.MULTILINE)


def test_the_profile_has_its_rows():
    assert float(ROWS["max_speed_kmh"][0]) == Profile(60).max_speed_kmh
    assert "expected_every_s" in ROWS


def test_the_page_names_nothing_that_is_gone():
    assert set(ROWS) == {*msgspec.structs.asdict(DEFAULTS), *msgspec.structs.asdict(Profile(60))}


def test_every_kind_of_milestone_is_named():
    table = PAGE.split("## Milestones")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", table)) >= set(KINDS)


def test_the_reach_and_the_step_are_those_of_the_code():
    assert f"from {REACH_M:.0f} m outside" in PAGE
    assert f"longer than {DENSIFY_STEP_M / 1000:.0f} km" in PAGE

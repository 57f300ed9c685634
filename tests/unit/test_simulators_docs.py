"""docs/scenarios.md names every table, every field with its default, and every scenario."""

from __future__ import annotations

import msgspec
import pytest

from simulators import scenario
from tests.support.pages import expect_fields, section, text_of

TEXT = text_of("scenarios.md")

TABLES = {
    scenario.Scenario: "scenario",
    scenario.Fleet: "[[fleets]]",
    scenario.Stray: '[[stories]] kind = "stray"',
    scenario.Stop: '[[stories]] kind = "stop"',
    scenario.Cut: '[[stories]] kind = "cut"',
    scenario.Warehouse: "[[warehouses]]",
    scenario.ColdStore: "[[cold_stores]]",
    scenario.Offline: '[[faults]] kind = "offline"',
    scenario.Repeat: '[[faults]] kind = "repeat"',
    scenario.Rubbish: '[[faults]] kind = "rubbish"',
}


def test_every_table_is_described() -> None:
    assert set(TABLES) == set(scenario.PARTS)


@pytest.mark.parametrize("part", TABLES, ids=lambda part: part.__name__)
def test_every_field_is_described_with_its_default(part: type[msgspec.Struct]) -> None:
    expect_fields(section(TEXT, TABLES[part]), part)


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_loads_and_is_listed(name: str) -> None:
    assert scenario.load(name).title
    assert f"`{name}`" in TEXT

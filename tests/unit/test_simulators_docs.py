"""docs/scenarios.md names every table, every field with its default, and every scenario."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from simulators import scenario

TEXT = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## `{re.escape(title)}`.*?(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"no section about {title}"
    return found[0]


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
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section(TABLES[part]), re.MULTILINE))
    fields = {field.name: field for field in msgspec.structs.fields(part)}
    assert set(rows) == set(fields)
    for name, field in fields.items():
        if field.required:
            assert rows[name].strip() == "required", name
        elif isinstance(field.default, int | float) and field.default:
            assert f"{field.default:g}" in rows[name].replace(",", ""), name


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_loads_and_is_listed(name: str) -> None:
    assert scenario.load(name).title
    assert f"`{name}`" in TEXT

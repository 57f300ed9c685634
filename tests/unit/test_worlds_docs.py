"""docs/scenarios.md names every table of a world, every field with its default, every world and rule."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from simulators.reality import format as worlds
from simulators.reality.truth import RULES

TEXT = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")

TABLES: dict[type[msgspec.Struct], str] = {
    worlds.WorldFile: "world",
    worlds.Fleet: "fleets of a world",
    worlds.Deeds: "fleets.deeds",
    worlds.Warehouse: "warehouses of a world",
}


def section(title: str) -> str:
    found = re.search(rf"^### `{re.escape(title)}`.*?(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"no section about {title}"
    return found[0]


def test_every_table_is_described() -> None:
    assert set(TABLES) == set(worlds.PARTS)


@pytest.mark.parametrize("part", TABLES, ids=lambda part: part.__name__)
def test_every_field_is_described_with_its_default(part: type[msgspec.Struct]) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section(TABLES[part]), re.MULTILINE))
    fields = {field.name: field for field in msgspec.structs.fields(part)}
    assert set(rows) == set(fields)
    for name, field in fields.items():
        if field.required:
            assert rows[name].strip() == "required", name
        elif isinstance(field.default, int | float):
            assert rows[name].strip() == f"{field.default:g}", name


@pytest.mark.parametrize("name", worlds.names())
def test_every_world_is_listed(name: str) -> None:
    assert f"| `{name}` |" in TEXT


def test_every_rule_that_the_truth_tells_of_says_what_is_true() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", TEXT.partition("### The truth")[2], re.MULTILINE))
    assert set(RULES) <= told

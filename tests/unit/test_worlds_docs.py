"""docs/scenarios.md names every table of a world, every field with its default, every world and rule."""

from __future__ import annotations

import re

import msgspec
import pytest

from simulators.reality import format as worlds
from simulators.reality.truth import RULES
from tests.support.pages import expect_fields, section, text_of

TEXT = text_of("scenarios.md")

TABLES: dict[type[msgspec.Struct], str] = {
    worlds.WorldFile: "world",
    worlds.Fleet: "fleets of a world",
    worlds.Deeds: "fleets.deeds",
    worlds.Warehouse: "warehouses of a world",
}


def test_every_table_is_described() -> None:
    assert set(TABLES) == set(worlds.PARTS)


@pytest.mark.parametrize("part", TABLES, ids=lambda part: part.__name__)
def test_every_field_is_described_with_its_default(part: type[msgspec.Struct]) -> None:
    expect_fields(section(TEXT, TABLES[part], level=3), part)


@pytest.mark.parametrize("name", worlds.names())
def test_every_world_is_listed(name: str) -> None:
    assert f"| `{name}` |" in TEXT


def test_every_rule_that_the_truth_tells_of_says_what_is_true() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", TEXT.partition("### The truth")[2], re.MULTILINE))
    assert set(RULES) <= told

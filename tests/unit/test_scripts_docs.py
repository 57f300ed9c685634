"""docs/scripts.md names every table, every field with its default, and every script."""

from __future__ import annotations

import msgspec
import pytest

from simulators.scripts import actors, asking, tellings
from simulators.scripts import format as format_
from tests.support.pages import expect_fields, section, text_of

TEXT = text_of("scripts.md")

TABLES: dict[type[msgspec.Struct], str] = {
    format_.Script: "script",
    actors.Device: "[[devices]]",
    actors.Shipment: "[[shipments]]",
    actors.Series: "shipments.series",
    actors.Revision: "[[revisions]]",
    actors.Document: "[[documents]]",
    tellings.Drive: "[[drives]]",
    tellings.Halt: "drives.stops",
    tellings.Stay: "[[stays]]",
    tellings.Fixes: "[[fixes]]",
    tellings.Reading: "[[readings]]",
    tellings.Event: "[[events]]",
    tellings.Scans: "[[scans]]",
    tellings.Offline: "[[offline]]",
    asking.Alarm: "[[alarms]]",
    format_.Look: "[[looks]]",
    format_.Expect: "looks.expect",
    asking.Answer: "looks.answers",
    asking.Trial: "looks.trials",
}


def test_every_table_is_described() -> None:
    assert set(TABLES) == set(format_.PARTS)


@pytest.mark.parametrize("part", TABLES, ids=lambda part: part.__name__)
def test_every_field_is_described_with_its_default(part: type[msgspec.Struct]) -> None:
    expect_fields(section(TEXT, TABLES[part]), part)


def test_every_script_is_named() -> None:
    for name in format_.names():
        assert f"| `{name}` |" in TEXT

"""docs/scripts.md names every table, every field with its default, and every script."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from simulators.scripts import actors, asking, tellings
from simulators.scripts import format as format_

TEXT = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text(encoding="utf-8")

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


def section(title: str) -> str:
    found = re.search(rf"^## `{re.escape(title)}`.*?(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert found, f"no section about {title}"
    return found[0]


def test_every_table_is_described() -> None:
    assert set(TABLES) == set(format_.PARTS)


@pytest.mark.parametrize("part", TABLES, ids=lambda part: part.__name__)
def test_every_field_is_described_with_its_default(part: type[msgspec.Struct]) -> None:
    text = section(TABLES[part])
    told = {row[1]: row[2].strip() for row in re.finditer(r"^\| `(\w+)` \|([^|]*)\|", text, re.MULTILINE)}
    fields = msgspec.structs.fields(part)
    assert list(told) == [field.name for field in fields]
    for field in fields:
        if field.required:
            assert told[field.name] == "required"
        elif isinstance(field.default, bool):
            assert told[field.name] == f"`{str(field.default).lower()}`"
        elif field.default not in (None, "", (), {}, msgspec.NODEFAULT):
            assert told[field.name] == f"`{field.default}`"


def test_every_script_is_named() -> None:
    for name in format_.names():
        assert f"| `{name}` |" in TEXT

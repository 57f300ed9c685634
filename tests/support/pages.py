"""What the pages about formats say, held against the formats: a section a table, a row a field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec

DOCS: Final = Path(__file__).parents[2] / "docs"


def text_of(page: str) -> str:
    """A page of ``docs``, by its file's name."""
    return (DOCS / page).read_text(encoding="utf-8")


def section(text: str, title: str, level: int = 2) -> str:
    """The section whose heading is ``title`` in code, down to the next heading of its level or above."""
    heading = rf"^{'#' * level} `{re.escape(title)}`"
    found = re.search(rf"{heading}.*?(?=^#{{2,{level}}} |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no section about {title}"
    return found[0]


def expect_fields(text: str, table: type[msgspec.Struct]) -> None:
    """A section has a row for each field of a table, in their order, with its default, and no other row.

    A default is written plainly or as code. Lists and tables are told in words, which nobody checks.
    """
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", text, re.MULTILINE))
    fields = msgspec.structs.fields(table)
    assert list(rows) == [field.name for field in fields]
    for field in fields:
        told = rows[field.name].strip()
        if field.required:
            assert told == "required", field.name
        elif isinstance(field.default, bool | int | float | str) and field.default != "":
            default = _written(field.default)
            assert told in {default, f"`{default}`"}, field.name


def _written(default: bool | float | str) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return default if isinstance(default, str) else f"{default:g}"

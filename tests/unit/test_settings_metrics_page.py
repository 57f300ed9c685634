"""docs/metrics.md names every metric that our processes serve, as the code describes it, and no other."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
DEFINES = re.compile(r"\b(?:Counter|Gauge|Histogram|Summary)\(\s*\n?\s*\"(bondwatch_\w+)\"")


def defined() -> dict[str, str]:
    """Name of every metric that stands in the code -> the module that defines it."""
    return {
        name: ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for top in ("gateway", "tracking")
        for path in sorted((ROOT / top).rglob("*.py"))
        if path.name != "__init__.py" and path != ROOT / "gateway" / "metrics.py"
        for name in DEFINES.findall(path.read_text())
    }


@pytest.mark.parametrize("name", sorted(defined()))
def test_the_page_explains_it_in_the_codes_words(name: str) -> None:
    importlib.import_module(defined()[name])
    family = next(one for one in REGISTRY.collect() if one.name == name.removesuffix("_total"))
    row = re.search(rf"^\| `{name}` \| (\w+) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
    assert row is not None, f"docs/metrics.md lacks {name}"
    assert (row[1], row[3]) == (family.type, family.documentation)


def test_the_page_names_none_that_is_gone() -> None:
    assert set(re.findall(r"^\| `(bondwatch_\w+)` ", PAGE, re.MULTILINE)) == set(defined())


def test_names_end_in_their_unit() -> None:
    units = ("_total", "_seconds", "_messages", "_events", "_waiting", "_ready")
    assert [name for name in defined() if not name.endswith(units)] == []

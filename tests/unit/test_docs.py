"""Docs that can't rot: links lead somewhere, commands exist and are told, decisions decide."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
COMMAND = re.compile(r"bondwatch ([a-z]+)")
MAKE = re.compile(r"(?:`|^    )make ([a-z]+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_every_command_is_told_somewhere() -> None:
    told = {command for page in PAGES for command in COMMAND.findall(page.read_text())}
    assert set(COMMANDS) - told == set()


def test_no_page_tells_a_command_that_does_not_exist() -> None:
    invented = {
        f"{page.name}: bondwatch {command}"
        for page in PAGES
        for command in re.findall(r"`bondwatch ([a-z]+)", page.read_text())
        if command not in COMMANDS
    }
    assert invented == set()


def test_every_make_target_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = {target for page in PAGES for target in MAKE.findall(page.read_text())}
    assert told - targets == set()


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_one_and_fits_half_a_page(decision: Path) -> None:
    text = decision.read_text()
    assert "**Decided.**" in text or "**Decision.**" in text
    assert len(text.split()) < 450, "half a page, please"

"""``bondwatch simulate``: what its options ask for, and which nothing that is named can honour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.commands import simulate
from gateway.problem import Problem
from gateway.simulate.running import SCORED_STEP, Report
from simulators.playing.acts import Looks


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, float | None]]:
    """Every run that was asked for, with its pace; none is made."""
    found: list[tuple[Any, float | None]] = []

    def on(played: Any, _home: object, speed: float | None, *_: object) -> Report:
        found.append((played, speed))
        return Report(played=dict.fromkeys(played.told))

    monkeypatch.setattr(simulate._Played, "on", on)
    return found


def run(*arguments: str) -> None:
    CliRunner().invoke(simulate.app, arguments, catch_exceptions=False)


def test_a_page_of_a_world_is_one_of_scores(asked: list[tuple[Any, float | None]], tmp_path: Path) -> None:
    run("mixed", "s5", "--html", str(tmp_path / "page.html"))
    ((played, speed),) = asked
    assert (played.looks, played.patience, speed) == (Looks.ALL, SCORED_STEP, None)
    assert "<h1>Nothing was compared.</h1>" in (tmp_path / "page.html").read_text()


def test_a_page_of_what_is_checked_is_of_that(asked: list[tuple[Any, float | None]], tmp_path: Path) -> None:
    page = str(tmp_path / "page.html")
    run("mixed", "--check", "--html", page)
    run("s5", "--html", page)
    assert [(one.looks, one.patience, speed) for one, speed in asked] == [(Looks.ALL, None, 60.0)] * 2


def test_without_a_page_nothing_is_compared_that_nobody_asked_for(
    asked: list[tuple[Any, float | None]],
) -> None:
    run("mixed")
    assert [one.looks for one, _ in asked] == [Looks.NONE]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["s5", "--devices", "9"], "--devices is of worlds, and none"),
        (["s5", "--hours", "9"], "--hours is of worlds, and none"),
        (["s5", "--seed", "7"], "--seed is of worlds and live scenarios, and none"),
        (["s5", "s6", "--for", "2h"], "--for is of worlds and live scenarios, and none"),
        (["s5", "--score"], "--score is of worlds, and none"),
        (["s5", "--truth", "t.ndjson"], "--truth is of worlds, and none"),
        (["demo", "--check"], "--check is of stories and worlds, and none"),
        (["demo", "--html", "p.html"], "--html is of stories and worlds, and none"),
    ],
)
def test_an_option_that_nothing_named_can_honour_is_refused(
    asked: list[tuple[Any, float | None]], arguments: list[str], says: str
) -> None:
    with pytest.raises(Problem, match=says):
        run(*arguments)
    assert asked == []


def test_a_world_beside_a_story_takes_its_options(asked: list[tuple[Any, float | None]]) -> None:
    run("s5", "seals", "--devices", "9", "--for", "2h", "--seed", "8")
    ((played, _),) = asked
    assert played.drawn == (8, None, 9, 7200.0)

"""How fast a story passes, and when it is told on an installation that has a clock already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.simulate import pace as pacing
from gateway.simulate.pace import LONGEST_WAIT_S, ClockFile, Pace
from gateway.simulate.running import SCORED_STEP, step_of
from simulators import library, places
from simulators.playing.player import STEP
from simulators.reality.world import Drawn
from simulators.scripts.format import Script

BEGINS = datetime(2026, 3, 10, tzinfo=UTC)


class Machine:
    """A machine whose time passes only while somebody sleeps, or works."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(pacing, "time", found)
    return found


def wait(pace: Pace, *seconds: float) -> None:
    for second in seconds:
        pace.wait(BEGINS + timedelta(seconds=second))


def test_sixty_seconds_of_a_story_are_one_of_ours(machine: Machine) -> None:
    wait(Pace(60), 0, 15, 30)
    assert machine.slept == [0.25, 0.25]


def test_nobody_waits_for_a_night(machine: Machine) -> None:
    wait(Pace(60), 0, 8 * 3600)
    assert machine.slept == [LONGEST_WAIT_S]


def test_who_is_late_doesnt_hurry_after(machine: Machine) -> None:
    pace = Pace(60)
    wait(pace, 0)
    machine.now += 5
    wait(pace, 15, 30)
    assert machine.slept == [0.25]


def test_as_fast_as_it_goes_waits_for_nothing(machine: Machine) -> None:
    wait(Pace(None), 0, 15, 3600)
    assert machine.slept == []


def test_a_clock_file_is_only_set_forward(tmp_path: Path) -> None:
    clock = ClockFile(tmp_path / "clock")
    clock.begin(BEGINS)
    clock.reach(BEGINS + timedelta(hours=1))
    lines = clock.path.read_text()
    clock.reach(BEGINS)
    assert clock.path.read_text() == lines
    assert timedelta(hours=1) <= clock.now() - BEGINS < timedelta(hours=1, minutes=1)


def test_steps_are_a_quarter_of_a_second_and_fine_enough_for_delays() -> None:
    assert step_of(60, scored=False) == timedelta(seconds=15)
    assert step_of(None, scored=False) == STEP
    assert step_of(None, scored=True) == step_of(3600, scored=True) == SCORED_STEP


def moved(now: datetime, *, before: bool) -> list[list[Any]]:
    story = library.load("s5")
    assert isinstance(story, Script)
    return library.moved({"s5": story}, places.load(), Drawn(7), now, before=before)


def test_a_clock_that_can_be_set_has_it_all_to_come() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    first, second = moved(now, before=False)
    assert now <= first[0].begins < now + timedelta(weeks=1)
    assert first[0].begins.weekday() == BEGINS.weekday() - 1, "00:40 there is the day before in UTC"
    assert second[0].begins - first[0].begins == timedelta(days=7)


def test_a_round_begins_when_the_one_before_is_over() -> None:
    told = {name: library.load(name) for name in ("s4", "s5", "borders")}
    first, second, third, last = library.rounds(told, places.load(), Drawn(7, devices=6))  # type: ignore[arg-type]
    assert [one.name for one in first] == ["S4", "S5"]
    assert [one.name for one in second] == ["S4b", "S5b"]
    assert [one.name for one in last] == ["borders"]
    for before, after in ((first, second), (second, third), (third, last)):
        begins = min(one.begins for one in after)
        assert library.over(before) <= begins < library.over(before) + timedelta(weeks=1)


def test_the_machines_clock_has_it_all_behind_it() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    stories = moved(now, before=True)
    over = [one.moment(one.looks[-1].at) for together in stories for one in together]
    assert now - timedelta(weeks=1) < max(over) <= now

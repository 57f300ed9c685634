"""The simulated clock: set forward, followed by everybody, and told back."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.clock import MachineClock, SimulatedClock, open_clock, set_forward


def test_without_a_file_it_is_the_machines() -> None:
    assert isinstance(open_clock(None), MachineClock)
    assert MachineClock().at_us(7) == 7


def test_it_runs_on_from_where_it_was_set(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_bytes(b"1000 50\n2000 9000\n")
    clock = SimulatedClock(path)
    assert [clock.at_us(real) for real in (0, 1000, 1999, 2000, 2500)] == [50, 50, 1049, 9000, 9500]


def test_what_it_showed_is_told_back(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_bytes(b"1000 50\n2000 9000\n")
    clock = SimulatedClock(path)
    for real in (1000, 1500, 1999, 2000, 2500):
        assert clock.real_us(clock.at_us(real)) == real
    assert clock.real_us(8999) == 1999  # never shown: the last moment before
    assert clock.real_us(49) == 0


def test_it_follows_the_file_and_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    path.write_bytes(b"1000 50\n")
    clock = SimulatedClock(path)
    assert clock.at_us(3000) == 2050
    with path.open("ab") as file:
        file.write(b"2000 90")
    assert clock.at_us(3000) == 2050
    with path.open("ab") as file:
        file.write(b"00\n")
    assert clock.at_us(3000) == 10000


def test_it_is_never_set_back(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    set_forward(path, 5_000_000)
    assert 5_000_000 <= SimulatedClock(path).now_us() < 5_000_000 + time.time_ns() // 1000
    set_forward(path, 60_000_000_000)
    with pytest.raises(ValueError, match="only set forward"):
        set_forward(path, 50_000_000_000)

"""A benchmark that fails says so: its command's last words, gates without a decision, gaps in the table."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.command import Failed, last_line
from tests.bench.gates import DEADLINE_S, Arrival, fault, figures
from tests.support.installation import until

ROOT = Path(__file__).parents[2]
ENVIRONMENT = dict(os.environ)
OPEN = [Arrival(50.0, "open")]

SLOW = """
import pathlib, sys, time
from gateway.interrupts import end_as_by_ctrl_c
end_as_by_ctrl_c()
try:
    pathlib.Path(sys.argv[1], "begun").touch()
    time.sleep(60)
finally:
    pathlib.Path(sys.argv[1], "removed").touch()
"""
WAITING = """
import os, sys
from gateway.interrupts import end_as_by_ctrl_c
from tests.bench.command import last_line
end_as_by_ctrl_c()
last_line([sys.executable, "-c", sys.argv[1], sys.argv[2]], os.environ)
"""


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_the_last_line_is_the_figures_whatever_the_exit_code() -> None:
    assert last_line(python("print('so'); print('{\"lost\": 2}'); exit(1)"), ENVIRONMENT) == {"lost": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit(3)", "ended with code 3 and said nothing"),
        ("print('not yet'); exit(1)", "ended with code 1 and said not yet"),
    ],
)
def test_a_command_without_figures_is_told_with_its_code_and_output(text: str, said: str) -> None:
    with pytest.raises(Failed, match=said):
        last_line(python(text), ENVIRONMENT)


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(Failed, match=r"was not done within 0\.2 s"):
        last_line(python("import time; time.sleep(60)"), ENVIRONMENT, deadline_s=0.2)


def test_a_benchmark_that_is_told_to_end_lets_its_command_remove_what_it_made(tmp_path: Path) -> None:
    process = subprocess.Popen([*python(WAITING), SLOW, str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        until((tmp_path / "begun").exists, "the command to begin")
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert (tmp_path / "removed").exists()
    finally:
        process.kill()


def test_an_arrival_without_a_decision_counts_as_the_deadline() -> None:
    found = figures(OPEN, OPEN * 49 + [Arrival(None, None)], 0)
    assert (found["arrivals"], found["answered"], found["unanswered"]) == (50, 49, 1)
    assert found["max_ms"] == found["p99_ms"] == 1000 * DEADLINE_S
    assert found["p50_ms"] == 50
    assert fault(found)


def test_a_gate_that_must_open_and_holds_is_a_fault() -> None:
    found = figures(OPEN, [*OPEN, Arrival(40.0, "hold")], 0)
    assert found["decisions"] == {"hold": 1, "open": 1}
    assert (found["wrong"], fault(found)) == (1, True)


def test_what_warms_up_has_no_part_in_the_times_but_must_be_answered_too() -> None:
    assert figures([Arrival(9000.0, "open")], OPEN, 0)["max_ms"] == 50
    assert not fault(figures(OPEN, OPEN, 0))
    assert fault(figures([Arrival(None, None)], OPEN, 0))

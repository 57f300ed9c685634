"""``bondwatch load``: what is amiss at any rate that was tried is said, and makes the exit code 1."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from gateway.commands import load
from simulators.load_figures import Figures, Recorded, Timeline
from simulators.load_run import Outcome, Target, Wanted, figures

WHOLE = Recorded(recorded=10, lost=0, doubled=0, rejected=0)
LIMIT = 400


class Deployed:
    """Holds 400 events a second; what its database says of a rate is given."""

    def __init__(self, says: Callable[[float], Recorded]) -> None:
        self._says = says

    def run(self, wanted: Wanted, _console: Console) -> Outcome:
        found: Figures = figures(Target("here", 1883), wanted, 1, 0.0, Timeline(), [])
        p99 = 10.0 if wanted.rate <= LIMIT else 5000.0
        found.latency_ms = {"durable": None, "committed": {"p99": p99}, "alert": None, "generator": None}
        found.check = self._says(wanted.rate)
        return Outcome(found, Timeline(), {})


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(says: Callable[[float], Recorded], *how: str) -> Result:
        monkeypatch.setattr(load.Deployment, "find", lambda *_: Deployed(says))
        return CliRunner().invoke(load.app, ["--rate", "100", "--devices", "1", "--json", *how])

    return run


def told(done: Result) -> dict[str, Any]:
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_what_is_lost_beyond_the_limit_is_said_and_fails(loaded: Callable[..., Result]) -> None:
    def says(rate: float) -> Recorded:
        return WHOLE if rate <= LIMIT else msgspec.structs.replace(WHOLE, lost=3, doubled=1)

    done = loaded(says, "--find-limit")
    assert done.exit_code == 1
    found = told(done)
    assert found["check"]["lost"] == 0  # of the best step
    beyond = [step for step in found["limit"]["steps"] if step["rate"] > LIMIT]
    assert beyond
    assert {step["check"]["lost"] for step in beyond} == {3}
    assert found["limit"]["check"] == {
        "recorded": 10 * len(found["limit"]["steps"]),
        "lost": 3 * len(beyond),
        "doubled": len(beyond),
        "rejected": 0,
        "unaccounted": 0,
    }
    assert done.stderr.count("lost 3, doubled 1, rejected 0") == len(beyond)
    assert f"lost {3 * len(beyond)}, doubled {len(beyond)}" in done.stderr


def test_a_limit_with_everything_there_is_a_good_end(loaded: Callable[..., Result]) -> None:
    done = loaded(lambda _: WHOLE, "--find-limit")
    assert done.exit_code == 0
    assert "lost 0, doubled 0, rejected 0" in done.stderr


@pytest.mark.parametrize("amiss", ["lost", "doubled", "rejected", "unaccounted"])
def test_anything_amiss_fails(loaded: Callable[..., Result], amiss: str) -> None:
    done = loaded(lambda _: msgspec.structs.replace(WHOLE, **{amiss: 60_000}))
    assert done.exit_code == 1
    assert f"{amiss} 60,000" in done.stderr
    assert told(done)["check"][amiss] == 60_000


def test_nothing_amiss_is_a_good_end(loaded: Callable[..., Result]) -> None:
    assert loaded(lambda _: WHOLE).exit_code == 0

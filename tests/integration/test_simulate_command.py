"""``bondwatch simulate``: worlds on an installation of their own, stories on one that runs already."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.bench.instance import Instance
from gateway.simulate.installed import running as attached
from gateway.simulate.pace import Pace

SECONDS = 110


def simulate(*arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "simulate", *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


@pytest.fixture(scope="module")
def running() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        room = Path(directory)
        room.chmod(0o711)  # the database may run as another user
        with Instance(room) as instance:
            yield instance.home.path


def test_a_world_is_found_as_it_truly_was(tmp_path: Path) -> None:
    """Its truth and its scores are written; a story beside it ends as told."""
    truth, page = tmp_path / "truth.ndjson", tmp_path / "scores.html"
    code, said, err = simulate(
        "seals", "s6", "--devices", "9", "--check", "--speed", "max",
        "--truth", str(truth), "--html", str(page),
    )  # fmt: skip
    assert (code, said["missing"], said["unexpected"]) == (0, [], []), err
    assert said["played"] == {"seals": True, "S6": True}
    incidents = [one for one in map(json.loads, truth.read_text().splitlines()) if one["is"] == "incident"]
    sure = [one["rule"] for one in incidents if one["sure"]]
    assert {rule: sure.count(rule) for rule in sure} == {
        rule: told["found"] for rule, told in said["rules"].items() if told["found"]
    }
    assert "seal_silent" in page.read_text()


def test_a_story_is_told_afterwards_to_one_that_follows_the_machines_clock(running: Path) -> None:
    code, said, err = simulate("s5", "--home", str(running), "--check", "--speed", "max")
    assert (code, said["missing"], said["unexpected"]) == (0, [], []), err
    assert said["played"] == {"S5": True, "S5b": True}
    # One message has at most 200 events: the broker's own count says that it stored them.
    assert attached(running, Pace(None)).stored() >= said["published"] / 200  # type: ignore[operator]


def test_a_live_scenario_goes_to_the_one_that_runs(running: Path) -> None:
    code, said, err = simulate("demo", "--home", str(running), "--for", "5s", "--speed", "900x")
    assert code == 0, err
    assert said["published"] > 0, "how many depends on the machine; that all are confirmed doesn't"
    assert (said["unconfirmed"], said["rejected"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mixd"], "no scenario 'mixd'; there are: s1"),
        ([], "no scenario is named"),
        (["seals", "--speed", "fast"], "--speed fast: no speed"),
        (["seals", "--for", "2 days"], "--for 2 days: no time"),
        (["demo", "s5"], "a live scenario is played alone"),
        (["s5", "--devices", "9"], "--devices is of worlds, and none is named"),
    ],
)
def test_it_says_what_is_wrong(arguments: list[str], says: str) -> None:
    code, _, err = simulate(*arguments)
    assert code == 1
    assert says in err

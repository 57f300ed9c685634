"""Play the scripts on a real installation and compare what it finds with what it must find.

make scenario ARGS="--json"
make scenario ARGS="s1 s5 --json"
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from gateway.interrupts import end_as_by_ctrl_c
from simulators.places import load as load_places
from simulators.playing.comparing import Compared
from simulators.scripts.format import Script, load, names
from simulators.scripts.timeline import Timeline, variants
from tests.scenario.online import End, differences
from tests.scenario.stages import Stage, stage
from tests.scenario.taking import unnoticed

APART_DAYS = 28
SEED = 7


@dataclass
class Report:
    """The last line of a run.

    Attributes:
        scripts: variants that were played, and the plays of all together.
        passed: how many of them ended with exactly what they must.
        missing: expected and not there.
        unexpected: there and not expected.
    """

    scripts: int = 0
    passed: int = 0
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


def main() -> int:
    """Play, report, and say by the exit code whether everything was as told."""
    parser = argparse.ArgumentParser(prog="make scenario", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scripts", nargs="*", metavar="SCRIPT", help="names or .toml files; default: all")
    parser.add_argument("--apart", action="store_true", help="only each script for itself")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--keep", action="store_true", help="leave the directory of the run")
    options = parser.parse_args()
    end_as_by_ctrl_c()
    scripts = [load(name) for name in options.scripts or names()]
    directory = Path(tempfile.mkdtemp(prefix="bondwatch-scenario-"))
    directory.chmod(0o711)  # the database may run as another user
    try:
        report = play(directory, scripts, apart_only=options.apart)
    finally:
        if options.keep:
            print(f"kept {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    return 0 if report.passed == report.scripts else 1


def play(directory: Path, scripts: list[Script], *, apart_only: bool = False) -> Report:
    """Every script for itself; those with backlogs against an online run; then all together, with processes
    killed midway, and shuffled.
    """
    report = Report()
    play_apart(_room(directory, "apart"), scripts, report)
    if not apart_only:
        _online(directory, scripts, report)
        base = [Timeline(script, variants(script)[0], load_places()) for script in scripts]
        _at_once(_room(directory, "together"), "together", base, report)
        _at_once(_room(directory, "killed"), "killed midway", base, report, is_killed=True)
        short = [one for one in base if one.moment(one.looks[-1].at) - one.begins < timedelta(days=1)]
        _at_once(_room(directory, "shuffled"), "shuffled", short, report, shuffled=random.Random(SEED))
    return report


def play_apart(directory: Path, scripts: list[Script], report: Report) -> None:
    """Every variant for itself, one after the other, four weeks apart: weekdays stay what they are."""
    places = load_places()
    told = [(script, variant) for script in scripts for variant in variants(script)]
    timelines = [
        Timeline(script, variant, places, later=place * APART_DAYS)
        for place, (script, variant) in enumerate(told)
    ]
    with stage(directory, min(timeline.begins for timeline in timelines)) as playing:
        for timeline in timelines:
            began, seen = time.monotonic(), len(playing.compared)
            playing.play([timeline])
            _tell(report, timeline.variant, playing.compared[seen:], time.monotonic() - began)


def _online(directory: Path, scripts: list[Script], report: Report) -> None:
    """Each story in which somebody is offline ends as it would if everybody were online."""
    told = [(script, variant) for script in scripts for variant in variants(script)]
    ends: list[dict[str, End]] = []
    for name, online in (("backlogs", False), ("online", True)):
        timelines = [
            Timeline(script, variant, load_places(), later=place * APART_DAYS, online=online)
            for place, (script, variant) in enumerate(told)
        ]
        timelines = [timeline for timeline in timelines if timeline.is_ever_offline]
        if not timelines:
            return
        began = time.monotonic()
        with stage(_room(directory, name), min(timeline.begins for timeline in timelines)) as playing:
            ends.append({})
            for timeline in timelines:
                playing.play([timeline])
                ends[-1] |= playing.ends(timeline)
            looks = [] if online else playing.compared
    differ = [one for number, end in ends[0].items() for one in differences(number, end, ends[1][number])]
    _tell(report, "as if online", [*looks, Compared([], differ)], time.monotonic() - began)


def _at_once(
    directory: Path,
    name: str,
    timelines: list[Timeline],
    report: Report,
    *,
    is_killed: bool = False,
    shuffled: random.Random | None = None,
) -> None:
    """All on one day: what stands is the union of what each story ends with."""
    began = time.monotonic()
    with stage(directory, min(timeline.begins for timeline in timelines)) as playing:
        midway = (lambda: _kill(playing)) if is_killed else None
        playing.play(timelines, midway=midway, shuffled=shuffled)
        _tell(report, name, playing.compared, time.monotonic() - began)
        if midway is None and shuffled is None:
            began = time.monotonic()
            taken = Compared(list(unnoticed(playing.stack, playing.api)), [])
            _tell(report, "one message taken away", [taken], time.monotonic() - began)


def _kill(playing: Stage) -> None:
    for victim in ("gateway", "judge"):
        playing.stack.kill(victim)


def _room(directory: Path, name: str) -> Path:
    room = directory / name
    room.mkdir()
    room.chmod(0o711)
    return room


def _tell(report: Report, name: str, looks: list[Compared], took_s: float) -> None:
    missing = [one for look in looks for one in look.missing]
    unexpected = [one for look in looks for one in look.unexpected]
    is_as_told = not missing and not unexpected
    report.scripts += 1
    report.passed += is_as_told
    report.missing += missing
    report.unexpected += unexpected
    print(f"{name}: {'as told' if is_as_told else 'NOT as told'}, {took_s:.1f} s", file=sys.stderr)
    for one in [*(f"missing {one}" for one in missing), *(f"unexpected {one}" for one in unexpected)]:
        print(f"  {one}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

"""Play the scripts on a real installation and compare what it finds with what it must find.

make scenario ARGS="--json"
make scenario ARGS="s1 s5 --json"
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulators.places import load as load_places
from simulators.scripts.format import Script, load, names
from simulators.scripts.timeline import Timeline, variants
from tests.scenario.stages import stage

APART_DAYS = 28


@dataclass
class Report:
    """The last line of a run.

    Attributes:
        scripts: variants that were played.
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
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--keep", action="store_true", help="leave the directory of the run")
    options = parser.parse_args()
    scripts = [load(name) for name in options.scripts or names()]
    directory = Path(tempfile.mkdtemp(prefix="bondwatch-scenario-"))
    directory.chmod(0o711)  # the database may run as another user
    try:
        report = play_apart(directory, scripts)
    finally:
        if options.keep:
            print(f"kept {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if options.json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    return 0 if report.passed == report.scripts else 1


def play_apart(directory: Path, scripts: list[Script]) -> Report:
    """Every variant for itself, one after the other, four weeks apart, so that weekdays stay what they are."""
    report, places = Report(), load_places()
    told = [(script, variant) for script in scripts for variant in variants(script)]
    timelines = [
        Timeline(script, variant, places, later=place * APART_DAYS)
        for place, (script, variant) in enumerate(told)
    ]
    with stage(directory, timelines[0].begins) as playing:
        for timeline in timelines:
            began, seen = time.monotonic(), len(playing.compared)
            playing.play([timeline])
            looks = playing.compared[seen:]
            missing = [one for look in looks for one in look.missing]
            unexpected = [one for look in looks for one in look.unexpected]
            report.scripts += 1
            report.passed += not missing and not unexpected
            report.missing += missing
            report.unexpected += unexpected
            said = "as told" if not missing and not unexpected else "NOT as told"
            print(f"{timeline.variant}: {said}, {time.monotonic() - began:.1f} s", file=sys.stderr)
            for one in [*(f"missing {one}" for one in missing), *(f"unexpected {one}" for one in unexpected)]:
                print(f"  {one}", file=sys.stderr)
    return report


if __name__ == "__main__":
    sys.exit(main())

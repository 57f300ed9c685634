"""Drive simulated vehicles near borders under realistic GPS error; count false zone alerts and missed exits.

make noise ARGS="--hours 1000 --json"
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from rich.console import Console
from rich.progress import Progress

from tests.noise.run import DRIVE_H, GROUP, judge_group
from tests.noise.verdict import Judged

SHOWN = 20


def groups(hours: float) -> list[tuple[float, ...]]:
    """Hours of each vehicle of each group; the last vehicle has what is left."""
    spans = []
    while hours > 1e-9:
        spans.append(min(DRIVE_H, hours))
        hours -= spans[-1]
    return [tuple(spans[at : at + GROUP]) for at in range(0, len(spans), GROUP)]


def run(hours: float, seed: int, processes: int) -> Judged:
    """All groups; the order of their results is that of their numbers."""
    work, total = groups(hours), Judged()
    with ProcessPoolExecutor(processes) as pool, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("simulated hours", total=hours)
        for judged in pool.map(judge_group, repeat(seed), range(len(work)), work):
            total.add(judged)
            progress.update(task, completed=total.hours)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="make noise", description="GPS noise near borders.")
    parser.add_argument("--hours", type=float, default=1000.0, help="simulated hours in all")
    parser.add_argument("--seed", type=int, default=7, help="the same seed, the same run")
    parser.add_argument(
        "--processes", type=int, default=2, help="that share the work; no matter to the result"
    )
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options = parser.parse_args()
    total = run(options.hours, options.seed, options.processes)
    for line in [*total.false, *total.missed][:SHOWN]:
        print(line, file=sys.stderr)
    print(
        f"{total.told} milestones, {total.alerts} alerts; {total.uncertain} undetermined crossings",
        file=sys.stderr,
    )
    if options.json:
        report = {
            "hours": round(total.hours, 3),
            "false_zone_alerts": len(total.false),
            "true_exits": total.exits,
            "found": total.found,
        }
        print(json.dumps(report))
    return 1 if total.false or total.found != total.exits else 0


if __name__ == "__main__":
    sys.exit(main())

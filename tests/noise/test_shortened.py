"""GPS noise in a short form, as CI runs it; ``make noise`` runs the long one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.noise.run import judge_group
from tests.noise.verdict import Judged

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [7, 2, 3, 4, 5])
def test_no_alert_is_false_and_no_exit_is_missed(seed: int) -> None:
    judged = judge_group(seed, 0, (5.0,) * 8)
    assert (judged.false, judged.missed) == ([], [])
    assert judged.told > 0


def test_the_same_seed_is_the_same_run() -> None:
    assert judge_group(7, 1, (3.0,) * 4) == judge_group(7, 1, (3.0,) * 4)
    total = Judged()
    total.add(judge_group(7, 1, (3.0,) * 4))
    assert total == judge_group(7, 1, (3.0,) * 4)


def test_the_last_line_is_the_report() -> None:
    command = [sys.executable, "-m", "tests.noise", "--hours", "41.5", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert list(report) == ["hours", "false_zone_alerts", "true_exits", "found"]
    assert (report["hours"], report["false_zone_alerts"]) == (41.5, 0)
    assert report["true_exits"] == report["found"] > 0

"""The fault suite in a short form, as CI runs it; ``make fault`` and ``make soak`` run the long ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("source", ["jetstream", "mqtt"])
def test_nothing_is_lost_or_doubled_and_every_alert_is_heard(source: str) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.fault",
        "--source",
        source,
        "--events",
        "2000",
        "--kills",
        "3",
        "--json",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=390, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report == {
        "published": 2000,
        "recorded": 2000,
        "lost": 0,
        "doubled": 0,
        "kills": 3,
        "alerts_missing": 0,
    }

"""The load generator as a process of its own; it says when all its devices are connected."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gateway.interrupts import ended_in_any_case
from gateway.problem import Problem
from simulators import connections


def generator(devices_file: Path, events: int, per_publish: int) -> list[str]:
    """The command that sends a load, but for its ``--mqtt``."""
    return [
        sys.executable, "-m", "simulators.load", "--devices-file", str(devices_file),
        "--events", str(events), "--per-publish", str(per_publish), "--json",
    ]  # fmt: skip


def can_connect(devices: int) -> None:
    """Refuse before anything is started what the generator could never connect.

    Raises:
        Problem: this machine allows a process fewer open files.
    """
    try:
        connections.allow(devices)
    except connections.TooManyConnections as error:
        raise Problem(str(error), "raise that, or take fewer devices") from None


def send(command: Sequence[str], on_connected: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Run the generator; its last line says what it sent.

    Args:
        command: its command line.
        on_connected: called when every device is connected and nothing is sent yet.

    Raises:
        Problem: it failed.
    """
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints, text=True) as process,
        ended_in_any_case(process),
    ):
        assert process.stdout is not None
        if process.stdout.readline():
            on_connected()
        lines = process.stdout.readlines()
        if process.wait() != 0 or not lines:
            complaints.seek(0)
            raise Problem(f"the load generator failed:\n{complaints.read()[-2000:]}")
    report: dict[str, Any] = json.loads(lines[-1])
    return report


def cpu_s(report: dict[str, Any]) -> float:
    """CPU seconds of the generator itself, from its first publish to the last answer."""
    return float(report["cpu_us_per_event"]) * int(report["published"]) / 1e6

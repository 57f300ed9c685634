"""An even load for an hour, and whether memory stays: ``make soak``.

``bondwatch load`` sends 2,000 events a second to an installation of its own while the resident memory of
every process is sampled. The slope is that of a straight line through the samples of the last two thirds:
caches fill in the first. The last line is JSON: ``seconds``, ``events``, ``lost``, ``doubled``, ``rejected``,
``unaccounted``, ``commit_p99_ms`` and, by process, ``rss_mb`` at the end, ``rss_max_mb`` and
``slope_mb_per_h``. Exit code 1: something was lost, doubled, rejected or unaccounted for.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import psutil

from gateway.bench.instance import Instance
from gateway.interrupts import end_as_by_ctrl_c
from tests.bench.command import last_line

RATE: Final = 2000
EVERY_S: Final = 5.0
MB: Final = 1_000_000

Samples: TypeAlias = dict[str, list[tuple[float, float]]]
"""By process: (seconds since the beginning, resident MB)."""


def main() -> int:
    """Run it; see the module."""
    parser = argparse.ArgumentParser(prog="make soak", description="An even load, and whether memory stays.")
    parser.add_argument("--for", dest="for_s", type=float, default=3600, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    said = parser.parse_args()
    end_as_by_ctrl_c()
    with tempfile.TemporaryDirectory(prefix="bondwatch-soak-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # the database may run as another user
        with Instance(directory) as instance, Sampler(instance) as sampler:
            load = loaded(instance, said.rate, said.devices, said.for_s)
    report = {
        "seconds": said.for_s,
        "events": load["events"],
        "lost": load["check"]["lost"],
        "doubled": load["check"]["doubled"],
        "rejected": load["check"]["rejected"],
        "unaccounted": load["check"]["unaccounted"],
        "commit_p99_ms": (load["latency_ms"]["committed"] or {}).get("p99"),
        "processes": {process: memory(samples) for process, samples in sampler.samples.items()},
    }
    if not said.json:
        for process, found in report["processes"].items():
            print(f"{process:12} {found['rss_mb']:8.1f} MB {found['slope_mb_per_h']:+8.1f} MB an hour")
    print(json.dumps(report))
    return 1 if any(report[name] for name in ("lost", "doubled", "rejected", "unaccounted")) else 0


def loaded(instance: Instance, rate: float, devices: int, for_s: float) -> dict[str, Any]:
    """What ``bondwatch load`` says in the end."""
    command = [
        sys.executable, "-m", "gateway.cli", "load", "--rate", f"{rate:g}", "--devices", str(devices),
        "--for", f"{for_s:g}", "--json",
    ]  # fmt: skip
    environment = dict(os.environ) | {"BONDWATCH_HOME": str(instance.home.path)}
    return last_line(command, environment)


class Sampler:
    """Reads the memory of an installation's processes, every few seconds, in a thread of its own."""

    def __init__(self, instance: Instance) -> None:
        self.samples: Samples = {}
        self._instance = instance
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        seconds = 0.0
        while not self._ended.wait(EVERY_S):
            seconds += EVERY_S
            for name, process in self._instance.endpoints.processes.items():
                self.samples.setdefault(name, []).append((seconds, resident_mb(process.pid)))


def resident_mb(pid: int) -> float:
    """Of a process and its descendants, a page that several share counted once; 0.0: it is gone."""
    try:
        process = psutil.Process(pid)
        members = [process, *process.children(recursive=True)]
        return float(sum(member.memory_full_info().pss for member in members)) / MB
    except psutil.NoSuchProcess:
        return 0.0


def memory(samples: list[tuple[float, float]]) -> dict[str, float]:
    """The figures of one process."""
    settled = np.asarray(samples[len(samples) // 3 :])
    slope_per_s = np.polyfit(settled[:, 0], settled[:, 1], 1)[0] if len(settled) > 1 else 0.0
    return {
        "rss_mb": round(samples[-1][1], 1),
        "rss_max_mb": round(max(used for _, used in samples), 1),
        "slope_mb_per_h": round(float(slope_per_s) * 3600, 2),
    }


if __name__ == "__main__":
    sys.exit(main())

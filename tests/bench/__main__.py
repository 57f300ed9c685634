"""Every benchmark in its short form, one after the other: ``make bench``.

Each writes what it measured to ``bench/results/NAME.json``; ``bench/results/table.md`` has the figures
beside what they should be. Progress and the table go to standard error, one line of JSON to standard output.
Exit code 1: something was lost, doubled or rejected, a benchmark failed (its figures are gaps, null in the
line), or a gate got no decision or another than it must. A figure that misses its goal is only said: machines
differ.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gateway.bench.instance import Instance
from gateway.interrupts import end_as_by_ctrl_c
from gateway.problem import Problem
from tests.bench import gates
from tests.bench.command import Failed, last_line
from tests.bench.listening import Listening
from tests.bench.table import Figures, table
from tests.support.brokers import mosquitto_program

RESULTS: Final = Path(__file__).parents[2] / "bench" / "results"
BONDWATCH: Final = [sys.executable, "-m", "gateway.cli"]
LATENCY_RATE: Final = 2000
DEADLINE_S: Final = 900

Found = dict[str, Any]


def main() -> int:
    """Run them all; see the module."""
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="no table, only the line of JSON")
    said = parser.parse_args()
    end_as_by_ctrl_c()
    RESULTS.mkdir(parents=True, exist_ok=True)
    found = {name: _one(name, run) for name, run in BENCHMARKS.items()}
    figures = summed(found)
    written = table(found, figures)
    (RESULTS / "table.md").write_text(written, encoding="utf-8")
    if not said.json:
        print(written, file=sys.stderr)
    print(json.dumps(figures))
    return 0 if is_whole(found) else 1


def is_whole(found: dict[str, Found]) -> bool:
    """Everything was measured, everything that was sent is there once, and every gate did what it must."""
    figures, checked = summed(found), _of(found["latency"], "check") or {}
    counted = figures["lost"] == figures["doubled"] == 0
    refused = checked.get("rejected") or checked.get("unaccounted")
    return all(found.values()) and counted and not refused and not gates.fault(found["gates"])


def summed(found: dict[str, Found]) -> Figures:
    """The figures of the last line; None: it wasn't measured."""
    recorded = [found["ingest"], found["mqtt_ingest"], _of(found["latency"], "check") or {}]
    return {
        "ingest_per_s": _of(found["ingest"], "events_per_s"),
        "mqtt_ingest_per_s": _of(found["mqtt_ingest"], "events_per_s"),
        "ratio_to_floor": _of(found["ingest"], "ratio_to_floor"),
        "commit_p99_ms": _of(found["latency"], "latency_ms", "committed", "p99"),
        "alert_p99_ms": _of(found["latency"], "latency_ms", "alert", "p99"),
        "gate_p99_ms": _of(found["gates"], "p99_ms"),
        "growth_worst": _of(found["growth"], "worst"),
        "trace_p99_ms": _of(found["reading"], "trace", "p99_ms"),
        "lost": _sum(recorded, "lost"),
        "doubled": _sum(recorded, "doubled"),
    }


def _of(found: Any, *names: str) -> Any:
    for name in names:
        found = (found or {}).get(name)
    return found


def _sum(parts: list[Found], name: str) -> int | None:
    """Nothing in some of them says little while another is a gap."""
    known = [part[name] for part in parts if name in part]
    return sum(known) if any(known) or len(known) == len(parts) else None


def bench(*arguments: str) -> Found:
    """The last line of a benchmark of the product."""
    return last_line([*BONDWATCH, "bench", *arguments, "--json"], dict(os.environ), DEADLINE_S)


def mqtt_ingest() -> Found:
    """The road behind Mosquitto."""
    program, environment = mosquitto_program()
    path = f"{Path(program).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    arguments = ["ingest", "--mosquitto", "--events", "100000", "--devices", "200", "--json"]
    return last_line([*BONDWATCH, "bench", *arguments], environment | {"PATH": path}, DEADLINE_S)


def latency() -> Found:
    """Publish to PUBACK, receipt and alert (MQTT, stream) at an even rate, on an installation of its own."""
    with tempfile.TemporaryDirectory(prefix="bondwatch-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # the database may run as another user
        with Instance(directory) as instance, Listening(instance) as listening:
            environment = dict(os.environ) | {"BONDWATCH_HOME": str(instance.home.path)}
            load = ["load", "--rate", str(LATENCY_RATE), "--devices", "200", "--for", "30", "--json"]
            found = last_line([*BONDWATCH, *load], environment, DEADLINE_S)
            return found | {"stream_alert_ms": listening.figures(found["alerts_heard"])}


BENCHMARKS: Final[dict[str, Callable[[], Found]]] = {
    "ingest": lambda: bench("ingest", "--events", "200000", "--devices", "2000"),
    "mqtt_ingest": mqtt_ingest,
    "latency": latency,
    "gates": lambda: gates.measure(arrivals=100, rate=LATENCY_RATE),
    "custody": lambda: bench("custody", "--events", "40000", "--shipments", "1000", "--rounds", "1"),
    "growth": lambda: bench(
        "growth", "--devices", "500", "--zones", "500", "--rows", "100000", "--each", "14",
        "--rounds", "1", "--svg", str(RESULTS / "growth.svg"),
    ),
    "reading": lambda: bench("reading", "--rows", "300000", "--shipments", "100000", "--requests", "40"),
}  # fmt: skip


def _one(name: str, run: Callable[[], Found]) -> Found:
    print(f"{name} …", file=sys.stderr, flush=True)
    written, began = RESULTS / f"{name}.json", time.monotonic()
    written.unlink(missing_ok=True)
    os.sync()  # what the one before has written and removed is no load of this one
    try:
        found = run()
    except (Failed, Problem) as error:
        print(f"{name} failed: {error}", file=sys.stderr, flush=True)
        return {}
    written.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())

"""How many events a second the road takes, and what each costs, all processes together.

Broker, database, gateway, judge and API run as ``bondwatch up`` runs them; the generator is another process
on the same machine. The CPU of all of them is divided by the events, and by the floor of the same run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from msgspec import Struct

from gateway.bench import floor
from gateway.bench.cpu import tree_seconds
from gateway.bench.instance import Instance, wait_for
from gateway.bench.mosquitto import Mosquitto
from gateway.bench.stage import set_stage
from gateway.problem import Problem
from tracking.store import positions, work
from tracking.store.database import Connection, connect, queries

STEP_METRIC = "bondwatch_step_seconds_total"


class Load(Struct, frozen=True):
    """What is sent.

    Attributes:
        events: in all.
        devices: that share them.
        per_publish: events in one MQTT message.
        zones: that their positions are judged against.
        workers: gateway processes.
        through_mosquitto: instead of the embedded broker.
    """

    events: int
    devices: int
    per_publish: int
    zones: int
    workers: int
    through_mosquitto: bool = False


class IngestReport(Struct, frozen=True):
    """The figures. ``seconds`` runs from the first publish until the last commit is seen."""

    events_per_s: float
    seconds: float
    lost: int
    doubled: int
    batch_p50: int
    step_us_per_event: dict[str, float]
    cpu_us_per_event: float
    floor_cpu_us_per_event: float
    ratio_to_floor: float


def measure(directory: Path, load: Load, say: Callable[[str], None]) -> IngestReport:
    """Run the benchmark.

    Args:
        directory: an empty one for everything it keeps.
        load: what is sent.
        say: told what happens, for people.
    """
    devices_file = directory / "devices.jsonl"
    generate = generator(devices_file, load.events, load.per_publish)
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(directory / "mosquitto")) if load.through_mosquitto else None
        instance = stack.enter_context(
            Instance(directory, workers=load.workers, broker=broker.address if broker else None)
        )
        conn = stack.enter_context(connect(instance.dsn))
        roots = [instance.pid, broker.pid] if broker else [instance.pid]
        say(f"registering {load.devices} devices, drawing {load.zones} zones")
        set_stage(conn, load.devices, load.zones, devices_file)
        say(f"sending {load.events} events, {load.per_publish} a message")
        before, mine = tree_seconds(roots), psutil.Process().cpu_times()
        generated = send([*generate, "--mqtt", instance.mqtt])
        wait_for(lambda: recorded(conn) >= load.events, 300, "every event to be recorded", every_s=0.05)
        ended_at = time.time()
        wait_for(lambda: waiting(conn) == 0, 120, "every change to be judged", every_s=0.25)
        spent, after = psutil.Process().cpu_times(), tree_seconds(roots)
        cpu_s = after - before + _children(spent) - _children(mine)
        events, doubled = _counts(conn)
        (batch_p50,) = conn.execute(queries("bench")["batch_sizes"]).fetchone() or (0,)
        seconds = ended_at - generated["started_at"]
        steps = _steps(instance, events)
        say("floor: a bare insert of the same rows")
        insert_s, rows = floor.insert(
            instance.dsn, instance.endpoints.processes["postgres"].pid, limit=min(load.events, 100_000)
        )
    say("floor: the same messages, published and pulled untouched")
    messages = generated["publishes"]
    pulled_s = floor.publish_and_pull(directory / "floor", generate, messages)
    bottom = floor.Floor(pulled_s, insert_s * events / max(rows, 1), events)
    per_event = cpu_s / events * 1e6
    return IngestReport(
        events_per_s=round(events / seconds, 1),
        seconds=round(seconds, 2),
        lost=max(0, generated["published"] - events),
        doubled=doubled,
        batch_p50=batch_p50,
        step_us_per_event=steps,
        cpu_us_per_event=round(per_event, 1),
        floor_cpu_us_per_event=round(bottom.cpu_us_per_event, 1),
        ratio_to_floor=round(per_event / bottom.cpu_us_per_event, 2),
    )


def generator(devices_file: Path, events: int, per_publish: int) -> list[str]:
    """The command that sends a load, but for its ``--mqtt``."""
    return [
        sys.executable, "-m", "simulators.load", "--devices-file", str(devices_file),
        "--events", str(events), "--per-publish", str(per_publish), "--json",
    ]  # fmt: skip


def send(command: list[str]) -> dict[str, Any]:
    """Run the generator; its last line says what it sent."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"the load generator failed:\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def _children(times: Any) -> float:
    return float(times.children_user + times.children_system)


def recorded(conn: Connection) -> int:
    """Events recorded so far."""
    (events,) = conn.execute(queries("bench")["recorded"]).fetchone() or (0,)
    return int(events)


def waiting(conn: Connection) -> int:
    """Rows of work that are owed."""
    return work.unfinished(conn, positions.watermark(conn))


def _counts(conn: Connection) -> tuple[int, int]:
    row = conn.execute(queries("bench")["counts"]).fetchone()
    assert row is not None
    return row[0], row[1]


def _steps(instance: Instance, events: int) -> dict[str, float]:
    """Microseconds an event of each step, from the gateway's own metric."""
    found = {}
    for sample, value in instance.metrics("gateway").items():
        if sample.startswith(STEP_METRIC + "{"):
            found[sample.split('"')[1]] = round(value / events * 1e6, 2)
    return found
